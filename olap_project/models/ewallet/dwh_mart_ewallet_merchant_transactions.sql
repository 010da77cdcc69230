{{ config(order_by = 'merchant_id') }}

with transactions as (

    select * from {{ source('ewallet', 'dwh_fact_ewallet_transactions') }}

),

merchants as (

    select * from {{ source('ewallet', 'dwh_dim_ewallet_merchants') }}
    where is_current or is_deleted

),

counted_transactions as (

    select
        transactions.merchant_id as merchant_id,
        count() as transaction_count,
        sum(transactions.transaction_amount) as transaction_amount
    from transactions
    group by transactions.merchant_id

),

counts_with_names as (

    select
        counted_transactions.merchant_id as merchant_id,
        coalesce(merchants.merchant_name, 'unknown merchant') as merchant_name,
        coalesce(merchants.merchant_category, 'unknown category') as merchant_category,
        counted_transactions.transaction_count as transaction_count,
        counted_transactions.transaction_amount as transaction_amount
    from counted_transactions
    left join merchants
        on counted_transactions.merchant_id = merchants.merchant_id

)

select * from counts_with_names
