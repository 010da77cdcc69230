select
    customer_id,
    customer_name,
    country,
    created_at,
    updated_at
from {{ ref('stg_checked_customers') }}
where rejection_reason is null
