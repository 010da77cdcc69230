select
    landing_id,
    event_number,
    transaction_id,
    case when operation <> 'delete' then user_id end as user_id,
    case when operation <> 'delete' then merchant_id end as merchant_id,
    case when operation <> 'delete' then transaction_status end as transaction_status,
    case when operation <> 'delete' then transaction_amount end as transaction_amount,
    operation = 'delete' as is_deleted,
    version_at,
    case when operation <> 'delete' then transaction_time end as transaction_time,
    case when operation <> 'delete' then updated_at end as updated_at
from {{ ref('stg_checked_ewallet_transaction_events') }}
where rejection_reason is null
