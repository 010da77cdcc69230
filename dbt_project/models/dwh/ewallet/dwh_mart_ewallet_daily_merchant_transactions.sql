with successful_transactions as (

    select * from {{ ref('dwh_fact_ewallet_transactions') }}

),

other_transactions as (

    select * from {{ ref('stg_fact_ewallet_transactions') }}
    where transaction_status <> 'SUCCESS'

),

merchants as (

    select * from {{ ref('dwh_dim_ewallet_merchants') }}
    where is_current or is_deleted

),

-- as in the fact, which has no others than the successful ones
category_bounds as (

    select
        amount_category,
        lower_bound,
        lead(lower_bound, 1, 'infinity') over (order by lower_bound) as upper_bound
    from {{ ref('stg_seed_ewallet_amount_categories') }}

),

dated_transactions as (

    select
        merchant_id::bigint as merchant_id,
        transaction_status,
        transaction_amount,
        (transaction_time at time zone '{{ var("business_time_zone") }}')::date as transaction_date
    from other_transactions

),

transactions as (

    select
        transaction_date,
        merchant_id,
        amount_category,
        'SUCCESS' as transaction_status,
        transaction_amount
    from successful_transactions
    union all
    select
        dated_transactions.transaction_date,
        dated_transactions.merchant_id,
        coalesce(category_bounds.amount_category, 'Unknown Value') as amount_category,
        dated_transactions.transaction_status,
        dated_transactions.transaction_amount
    from dated_transactions
    left join category_bounds
        on
            dated_transactions.transaction_amount >= category_bounds.lower_bound
            and dated_transactions.transaction_amount < category_bounds.upper_bound
    where dated_transactions.transaction_date >= '{{ var("ewallet_kept_from") }}'

),

daily_transactions as (

    select
        transaction_date,
        merchant_id,
        amount_category,
        count(*) as transaction_count,
        count(*) filter (where transaction_status = 'SUCCESS') as successful_count,
        count(*) filter (where transaction_status = 'FAILED') as failed_count,
        count(*) filter (where transaction_status = 'PENDING') as pending_count,
        coalesce(sum(transaction_amount) filter (where transaction_status = 'SUCCESS'), 0)
        ::numeric(20, 2) as successful_amount
    from transactions
    group by transaction_date, merchant_id, amount_category

),

daily_transactions_with_names as (

    select
        daily_transactions.transaction_date,
        daily_transactions.merchant_id,
        coalesce(merchants.merchant_name, 'unknown merchant') as merchant_name,
        coalesce(merchants.merchant_category, 'unknown category') as merchant_category,
        daily_transactions.amount_category,
        daily_transactions.transaction_count,
        daily_transactions.successful_count,
        daily_transactions.failed_count,
        daily_transactions.pending_count,
        daily_transactions.successful_amount
    from daily_transactions
    left join merchants
        on daily_transactions.merchant_id = merchants.merchant_id

)

select * from daily_transactions_with_names
