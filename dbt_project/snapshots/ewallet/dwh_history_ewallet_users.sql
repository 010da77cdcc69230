{% snapshot dwh_history_ewallet_users %}

select * from {{ ref('stg_dim_ewallet_users') }}

{% endsnapshot %}
