with states as (

    select * from {{ ref('dwh_mart_ewallet_transaction_states') }}

),

existing_transactions as (

    select
        transaction_id,
        user_id,
        merchant_id,
        transaction_status,
        transaction_amount,
        version_at,
        transaction_time,
        updated_at
    from states
    where not is_deleted

)

select * from existing_transactions
