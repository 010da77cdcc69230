with daily_revenue as (

    select * from {{ ref('dwh_mart_ecommerce_daily_revenue') }}

),

monthly_margin as (

    select
        ordered_month,
        category,
        sum(sold_amount_eur)::numeric(18, 2) as sold_amount_eur,
        sum(margin_eur)::numeric(18, 2) as margin_eur,
        (sum(margin_eur) / nullif(sum(sold_amount_eur), 0))::numeric(18, 4) as margin_share
    from daily_revenue
    group by ordered_month, category

)

select * from monthly_margin
