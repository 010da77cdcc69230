{{ config(order_by = 'first_order_month') }}

with orders as (

    select * from {{ source('ecommerce', 'dwh_fact_ecommerce_orders') }}
    where order_outcome = 'sold'

),

numbered_orders as (

    select
        customer_id,
        order_id,
        ordered_date,
        first_value(ordered_date) over customer_orders as first_ordered_date,
        row_number() over customer_orders as order_number
    from orders
    window customer_orders as (partition by customer_id order by ordered_at, order_id)

),

buyers as (

    select
        customer_id,
        {{ first_day_of_month('first_ordered_date') }} as first_order_month,
        count() as order_count,
        coalesce(
            minOrNullIf(ordered_date, order_number = 2)
            <= first_ordered_date + {{ var('repeat_purchase_days') }},
            false
        ) as has_come_back
    from numbered_orders
    group by customer_id, first_ordered_date

),

cohorts as (

    select
        buyers.first_order_month as first_order_month,
        count() as customer_count,
        countIf(buyers.has_come_back) as repeat_customer_count,
        {{ share('countIf(buyers.has_come_back)', 'count()') | indent(8) }}
            as repeat_customer_share,
        countIf(buyers.order_count = 1) as one_order_customer_count,
        countIf(buyers.order_count = 2) as two_orders_customer_count,
        countIf(buyers.order_count >= 3) as three_orders_customer_count,
        sum(buyers.order_count) as order_count,
        cast(
            addMonths(buyers.first_order_month, 1) + {{ var('repeat_purchase_days') }}
            <= toDate32(now('{{ var("business_time_zone") }}')) as Bool
        ) as is_complete
    from buyers
    group by buyers.first_order_month

)

select * from cohorts
