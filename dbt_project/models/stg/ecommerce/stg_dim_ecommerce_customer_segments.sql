select
    customer_id,
    {{ age_band('age') }} as age_band,
    (now() at time zone '{{ var("business_time_zone") }}')::date
    - (registered_at at time zone '{{ var("business_time_zone") }}')::date as tenure_days
from {{ ref('stg_checked_ecommerce_customers') }}
where rejection_reason is null
