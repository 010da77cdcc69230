select
    customer_id,
    last_login_at
from {{ ref('stg_checked_ecommerce_customers') }}
where rejection_reason is null
