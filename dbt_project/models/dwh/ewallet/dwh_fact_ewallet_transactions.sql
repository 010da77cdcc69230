-- Cursor: the change log of the transactions, and of the users and merchants they name, by key, as
-- far as those dimensions have been built. Overlap: none, a position in that log is exact. A late
-- transaction is read when it arrives; one that becomes SUCCESS enters; one that was deleted, is
-- invalid or no longer SUCCESS, leaves. If the bounds of the categories change, all are read.
{{
    config(
        materialized = 'incremental',
        unique_key = ['transaction_id', 'transaction_date'],
        partition_by = {'column': 'transaction_date', 'granularity': 'month'},
        indexes = [{'columns': ['user_id']}, {'columns': ['merchant_id']}],
        meta = {
            'changes': [
                {'table': 'mrr_fact_ewallet_transactions', 'key': ['transaction_id']},
                {'table': 'mrr_dim_ewallet_users', 'key': ['user_id']},
                {'table': 'mrr_dim_ewallet_merchants', 'key': ['merchant_id']},
            ],
        },
    )
}}

with users as (

    select * from {{ ref('dwh_dim_ewallet_users') }}

),

merchants as (

    select * from {{ ref('dwh_dim_ewallet_merchants') }}

),

amount_categories as (

    select * from {{ ref('stg_seed_ewallet_amount_categories') }}

),

transactions as (

    select * from {{ ref('stg_fact_ewallet_transactions') }}
    where transaction_status = 'SUCCESS' and {{ is_unread() }}

),

user_periods as (

    {{ version_periods('users', 'user_key', 'user_id', facts='transactions') }}

),

merchant_periods as (

    {{ version_periods('merchants', 'merchant_key', 'merchant_id', facts='transactions') }}

),

category_bounds as (

    select
        amount_category,
        lower_bound,
        lead(lower_bound, 1, 'infinity') over (order by lower_bound) as upper_bound
    from amount_categories

),

dated_transactions as (

    select
        transaction_id,
        user_id,
        merchant_id,
        transaction_amount,
        (transaction_time at time zone '{{ var("business_time_zone") }}')::date as transaction_date,
        transaction_time,
        updated_at
    from transactions

),

transactions_with_keys as (

    select
        dated_transactions.transaction_id,
        dated_transactions.user_id::bigint as user_id,
        dated_transactions.merchant_id::bigint as merchant_id,
        coalesce(user_periods.user_key, -1) as user_key,
        coalesce(merchant_periods.merchant_key, -1) as merchant_key,
        coalesce(category_bounds.amount_category, 'Unknown Value') as amount_category,
        dated_transactions.transaction_amount::numeric(18, 2) as transaction_amount,
        dated_transactions.transaction_date,
        to_char(dated_transactions.transaction_date, 'YYYYMMDD')::integer as transaction_date_key,
        dated_transactions.transaction_time,
        dated_transactions.updated_at
    from dated_transactions
    left join user_periods
        on
            dated_transactions.user_id = user_periods.user_id
            and dated_transactions.transaction_time >= user_periods.period_start
            and dated_transactions.transaction_time < user_periods.period_end
    left join merchant_periods
        on
            dated_transactions.merchant_id = merchant_periods.merchant_id
            and dated_transactions.transaction_time >= merchant_periods.period_start
            and dated_transactions.transaction_time < merchant_periods.period_end
    left join category_bounds
        on
            dated_transactions.transaction_amount >= category_bounds.lower_bound
            and dated_transactions.transaction_amount < category_bounds.upper_bound
    where dated_transactions.transaction_date >= '{{ var("ewallet_kept_from") }}'

)

select * from transactions_with_keys
