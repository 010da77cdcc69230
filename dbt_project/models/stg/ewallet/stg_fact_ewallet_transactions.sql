select
    transaction_id,
    user_id,
    merchant_id,
    transaction_status,
    transaction_amount,
    transaction_time,
    updated_at
from {{ ref('stg_checked_ewallet_transactions') }}
where rejection_reason is null
