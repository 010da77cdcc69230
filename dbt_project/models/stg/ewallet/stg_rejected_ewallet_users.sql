select
    user_id,
    user_name,
    city,
    rejection_reason,
    created_at,
    updated_at
from {{ ref('stg_checked_ewallet_users') }}
where rejection_reason is not null
