select
    customer_id,
    customer_name,
    country,
    rejection_reason,
    created_at,
    updated_at
from {{ ref('stg_checked_customers') }}
where rejection_reason is not null
