-- Every mirrored transaction is in the fact, was rejected, is not SUCCESS, or is of a day that is
-- not kept: with its amount, and only once.
{%- set facts = node_of('model.tidemark.dwh_fact_ewallet_transactions') %}
with mirrored as (

    select
        transaction_id,
        amount
    from {{ source('ewallet', 'mrr_fact_ewallet_transactions') }}
    where {{ rows_to_test(facts) or 'true' }}

),

warehouse as (

    select
        transaction_id,
        transaction_amount as amount
    from {{ ref('dwh_fact_ewallet_transactions') }}
    where {{ rows_to_test(facts) or 'true' }}
    union all
    select
        transaction_id,
        transaction_amount as amount
    from {{ ref('stg_rejected_ewallet_transactions') }}
    where {{ rows_to_test(facts) or 'true' }}
    union all
    select
        transaction_id,
        transaction_amount as amount
    from {{ ref('stg_fact_ewallet_transactions') }}
    where
        {{ rows_to_test(facts) or 'true' }}
        and (
            transaction_status <> 'SUCCESS'
            or (transaction_time at time zone '{{ var("business_time_zone") }}')::date
            < '{{ var("ewallet_kept_from") }}'
        )

),

counted as (

    select
        transaction_id,
        min(amount) as amount,
        count(*) as row_count
    from warehouse
    group by transaction_id

),

differences as (

    select
        coalesce(mirrored.transaction_id, counted.transaction_id) as transaction_id,
        mirrored.amount as mirrored_amount,
        counted.amount as warehouse_amount,
        counted.row_count
    from mirrored
    full join counted
        on mirrored.transaction_id = counted.transaction_id
    where
        mirrored.transaction_id is null
        or counted.transaction_id is null
        or counted.row_count <> 1
        or mirrored.amount is distinct from counted.amount

)

select * from differences
where transaction_id not in (
    {{ unread_keys(facts, 'mrr_fact_ewallet_transactions') | indent(4) }}
)
