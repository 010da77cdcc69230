{% snapshot dwh_history_ecommerce_suppliers %}

select * from {{ ref('stg_dim_ecommerce_suppliers') }}

{% endsnapshot %}
