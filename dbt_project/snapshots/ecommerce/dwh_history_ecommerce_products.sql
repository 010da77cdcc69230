{% snapshot dwh_history_ecommerce_products %}

select * from {{ ref('stg_dim_ecommerce_products') }}

{% endsnapshot %}
