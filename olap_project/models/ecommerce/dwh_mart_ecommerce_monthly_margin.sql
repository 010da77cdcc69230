{{ config(order_by = ['ordered_month', 'category']) }}

with daily_revenue as (

    select * from {{ ref('dwh_mart_ecommerce_daily_revenue') }}

),

monthly_sums as (

    select
        daily_revenue.ordered_month as ordered_month,
        daily_revenue.category as category,
        sum(daily_revenue.sold_amount_eur) as sold_amount_eur,
        sum(daily_revenue.margin_eur) as margin_eur
    from daily_revenue
    group by daily_revenue.ordered_month, daily_revenue.category

),

monthly_margin as (

    select
        ordered_month,
        category,
        sold_amount_eur,
        margin_eur,
        {{ share('margin_eur', 'sold_amount_eur') | indent(8) }} as margin_share
    from monthly_sums

)

select * from monthly_margin
