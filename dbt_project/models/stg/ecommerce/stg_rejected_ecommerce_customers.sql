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
    rejection_reason,
    registered_at,
    last_login_at,
    updated_at
from {{ ref('stg_checked_ecommerce_customers') }}
where rejection_reason is not null
