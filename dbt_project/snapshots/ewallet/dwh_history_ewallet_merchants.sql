{% snapshot dwh_history_ewallet_merchants %}

select * from {{ ref('stg_dim_ewallet_merchants') }}

{% endsnapshot %}
