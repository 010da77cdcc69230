select
    customer_id,
    first_name,
    last_name,
    age,
    email,
    country_code,
    city,
    postal_code,
    phone_number,
    registered_at
from {{ ref('stg_checked_ecommerce_customers') }}
where rejection_reason is null
