with transactions as (

    select * from {{ ref('dwh_fact_ewallet_transactions') }}

),

users as (

    select * from {{ ref('dwh_dim_ewallet_users') }}
    where is_current or is_deleted

),

daily_amounts as (

    select
        transaction_date,
        user_id,
        count(*) as transaction_count,
        sum(transaction_amount)::numeric(20, 2) as transaction_amount
    from transactions
    group by transaction_date, user_id

),

daily_amounts_with_names as (

    select
        daily_amounts.transaction_date,
        daily_amounts.user_id,
        coalesce(users.user_name, 'unknown user') as user_name,
        daily_amounts.transaction_count,
        daily_amounts.transaction_amount
    from daily_amounts
    left join users
        on daily_amounts.user_id = users.user_id

)

select * from daily_amounts_with_names
