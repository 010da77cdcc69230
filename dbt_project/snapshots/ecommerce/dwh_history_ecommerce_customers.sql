{% snapshot dwh_history_ecommerce_customers %}

select * from {{ ref('stg_dim_ecommerce_customers') }}

{% endsnapshot %}
