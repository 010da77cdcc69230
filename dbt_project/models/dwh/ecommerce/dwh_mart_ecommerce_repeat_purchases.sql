with orders as (

    select * from {{ ref('dwh_fact_ecommerce_orders') }}
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
        date_trunc('month', first_ordered_date)::date as first_order_month,
        count(*) as order_count,
        coalesce(
            min(ordered_date) filter (where order_number = 2)
            <= first_ordered_date + {{ var('repeat_purchase_days') }},
            false
        ) as has_come_back
    from numbered_orders
    group by customer_id, first_ordered_date

),

cohorts as (

    select
        first_order_month,
        count(*) as customer_count,
        count(*) filter (where has_come_back) as repeat_customer_count,
        avg(has_come_back::integer)::numeric(18, 4) as repeat_customer_share,
        count(*) filter (where order_count = 1) as one_order_customer_count,
        count(*) filter (where order_count = 2) as two_orders_customer_count,
        count(*) filter (where order_count >= 3) as three_orders_customer_count,
        sum(order_count)::bigint as order_count,
        (first_order_month + interval '1 month')::date + {{ var('repeat_purchase_days') }}
        <= (now() at time zone '{{ var("business_time_zone") }}')::date as is_complete
    from buyers
    group by first_order_month

)

select * from cohorts
