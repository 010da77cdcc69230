{{
    config(
        incremental_strategy = 'insert_overwrite',
        partition_by = month_of('transaction_date'),
        order_by = ['transaction_date', 'user_id'],
        sharding_key = 'cityHash64(user_id)',
        pre_hook = "{{ drop_gone_months('dwh_fact_ewallet_transactions') }}",
    )
}}

{% set months = months_to_build('dwh_fact_ewallet_transactions') %}

with transactions as (

    select * from {{ source('ewallet', 'dwh_fact_ewallet_transactions') }}
    where {{ is_of('transaction_date', months) }}

),

daily_amounts as (

    select
        transactions.transaction_date as transaction_date,
        transactions.user_id as user_id,
        count() as transaction_count,
        sum(transactions.transaction_amount) as transaction_amount,
        {{ parts_of('transactions.transaction_date', months) | indent(8) }} as source_parts
    from transactions
    group by transactions.transaction_date, transactions.user_id

)

select * from daily_amounts
