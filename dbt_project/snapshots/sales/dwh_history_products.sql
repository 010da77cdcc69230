{% snapshot dwh_history_products %}

select * from {{ ref('stg_dim_products') }}

{% endsnapshot %}
