select
    -- keys
    transaction_id,
    user_id,
    merchant_id,

    -- attributes
    status as transaction_status,

    -- measures
    amount as transaction_amount,

    -- flags
    case
        when user_id is null then 'no user is named'
        when merchant_id is null then 'no merchant is named'
        when status is null or status not in ('SUCCESS', 'FAILED', 'PENDING')
            then 'status is unknown'
        when amount is null then 'amount is missing'
        when amount < 0 then 'amount is negative'
        when transaction_time is null then 'time is missing'
    end as rejection_reason,

    -- timestamps
    transaction_time,
    updated_at
from {{ source('ewallet', 'mrr_fact_ewallet_transactions') }}
