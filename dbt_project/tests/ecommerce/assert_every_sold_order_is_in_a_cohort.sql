-- Reads all orders. A run that tests only changed rows skips it; dbt that a user starts does not.
{%- set facts = node_of('model.tidemark.dwh_fact_ecommerce_orders') %}
with orders as (

    select
        count(*) as order_count,
        count(distinct customer_id) as customer_count
    from {{ ref('dwh_fact_ecommerce_orders') }}
    where order_outcome = 'sold'

),

cohorts as (

    select
        coalesce(sum(order_count), 0) as order_count,
        coalesce(sum(customer_count), 0) as customer_count,
        coalesce(sum(
            one_order_customer_count + two_orders_customer_count + three_orders_customer_count
        ), 0) as counted_customers
    from {{ ref('dwh_mart_ecommerce_repeat_purchases') }}

)

select
    orders.order_count,
    cohorts.order_count as counted_orders,
    orders.customer_count,
    cohorts.customer_count as counted_customers
from orders
cross join cohorts
where
    {{ 'false' if rows_to_test(facts) else 'true' }}
    and (
        orders.order_count <> cohorts.order_count
        or orders.customer_count <> cohorts.customer_count
        or orders.customer_count <> cohorts.counted_customers
    )
