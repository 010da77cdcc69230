select
    merchant_id,
    merchant_name,
    merchant_category,
    rejection_reason,
    created_at,
    updated_at
from {{ ref('stg_checked_ewallet_merchants') }}
where rejection_reason is not null
