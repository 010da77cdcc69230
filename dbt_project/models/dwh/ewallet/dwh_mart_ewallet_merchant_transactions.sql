with transactions as (

    select * from {{ ref('dwh_fact_ewallet_transactions') }}

),

merchants as (

    select * from {{ ref('dwh_dim_ewallet_merchants') }}
    where is_current or is_deleted

),

counted_transactions as (

    select
        merchant_id,
        count(*) as transaction_count,
        sum(transaction_amount)::numeric(20, 2) as transaction_amount
    from transactions
    group by merchant_id

),

counts_with_names as (

    select
        counted_transactions.merchant_id,
        coalesce(merchants.merchant_name, 'unknown merchant') as merchant_name,
        coalesce(merchants.merchant_category, 'unknown category') as merchant_category,
        counted_transactions.transaction_count,
        counted_transactions.transaction_amount
    from counted_transactions
    left join merchants
        on counted_transactions.merchant_id = merchants.merchant_id

)

select * from counts_with_names
