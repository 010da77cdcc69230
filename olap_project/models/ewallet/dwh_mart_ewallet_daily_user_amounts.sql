{{ config(materialized = 'view') }}

with daily_amounts as (

    select * from {{ ref('dwh_sums_ewallet_daily_user_amounts') }}

),

users as (

    select * from {{ source('ewallet', 'dwh_dim_ewallet_users') }}
    where is_current or is_deleted

),

daily_amounts_with_names as (

    select
        daily_amounts.transaction_date as transaction_date,
        daily_amounts.user_id as user_id,
        coalesce(users.user_name, 'unknown user') as user_name,
        daily_amounts.transaction_count as transaction_count,
        daily_amounts.transaction_amount as transaction_amount
    from daily_amounts
    left join users
        on daily_amounts.user_id = users.user_id

)

select * from daily_amounts_with_names
