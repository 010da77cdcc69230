-- Only what both could see is compared: rows that the application changed since the first event,
-- and events and rows that are no later than the last one of the other side.
with states as (

    select * from {{ ref('dwh_mart_ewallet_transaction_states') }}

),

transactions as (

    select * from {{ ref('stg_checked_ewallet_transactions') }}

),

event_period as (

    select
        min(version_at) as first_at,
        max(version_at) as last_at
    from states

),

mirror_period as (

    select max(updated_at) as last_at
    from transactions

),

pairs as (

    select
        coalesce(states.transaction_id, transactions.transaction_id) as transaction_id,
        coalesce(not states.is_deleted, false) as is_in_events,
        transactions.transaction_id is not null as is_in_mirror,
        states.user_id as event_user_id,
        transactions.user_id as mirror_user_id,
        states.merchant_id as event_merchant_id,
        transactions.merchant_id as mirror_merchant_id,
        states.transaction_status as event_status,
        transactions.transaction_status as mirror_status,
        states.transaction_amount as event_amount,
        transactions.transaction_amount as mirror_amount,
        states.transaction_time as event_time,
        transactions.transaction_time as mirror_time,
        states.updated_at as event_updated_at,
        transactions.updated_at as mirror_updated_at,
        states.version_at
    from states
    full join transactions
        on states.transaction_id = transactions.transaction_id

),

comparable_pairs as (

    select pairs.*
    from pairs
    cross join event_period
    cross join mirror_period
    where
        (pairs.version_at is null or pairs.version_at <= mirror_period.last_at)
        and (
            pairs.mirror_updated_at is null
            or pairs.mirror_updated_at between event_period.first_at and event_period.last_at
        )

),

differences as (

    select
        comparable_pairs.transaction_id,
        case
            when not comparable_pairs.is_in_mirror then 'only in the events'
            when not comparable_pairs.is_in_events then 'only in the mirror'
            else compared.column_name
        end as difference,
        compared.event_value,
        compared.mirror_value,
        comparable_pairs.version_at,
        comparable_pairs.mirror_updated_at
    from comparable_pairs
    cross join
        lateral (
            values
            (
                'transaction_id',
                case when comparable_pairs.is_in_events then comparable_pairs.transaction_id end,
                case when comparable_pairs.is_in_mirror then comparable_pairs.transaction_id end
            ),
            (
                'user_id',
                comparable_pairs.event_user_id::text,
                comparable_pairs.mirror_user_id::text
            ),
            (
                'merchant_id',
                comparable_pairs.event_merchant_id::text,
                comparable_pairs.mirror_merchant_id::text
            ),
            (
                'transaction_status',
                comparable_pairs.event_status,
                comparable_pairs.mirror_status
            ),
            (
                'transaction_amount',
                comparable_pairs.event_amount::text,
                comparable_pairs.mirror_amount::text
            ),
            (
                'transaction_time',
                comparable_pairs.event_time::text,
                comparable_pairs.mirror_time::text
            ),
            (
                'updated_at',
                coalesce(
                    comparable_pairs.event_updated_at, comparable_pairs.mirror_updated_at
                )::text,
                comparable_pairs.mirror_updated_at::text
            )
        ) as compared (column_name, event_value, mirror_value)
    where
        coalesce(compared.event_value, '') <> coalesce(compared.mirror_value, '')
        and (
            compared.column_name = 'transaction_id'
            or (comparable_pairs.is_in_events and comparable_pairs.is_in_mirror)
        )

)

select * from differences
