select
    user_id,
    user_name,
    city,
    created_at,
    updated_at
from {{ ref('stg_checked_ewallet_users') }}
where rejection_reason is null
