{% snapshot dwh_history_customers %}

select * from {{ ref('stg_dim_customers') }}

{% endsnapshot %}
