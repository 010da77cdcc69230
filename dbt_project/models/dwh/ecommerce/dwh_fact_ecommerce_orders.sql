-- Cursor: the change log of the orders, and of the customers they name, by key, as far as that
-- dimension has been built. Overlap: none, a position in that log is exact. A late order is read
-- when it arrives; a late customer takes over his orders from the unknown member; an order that was
-- deleted, or became invalid, leaves. A changed seed of rates or statuses is read for all orders.
{{
    config(
        materialized = 'incremental',
        unique_key = 'order_id',
        indexes = [{'columns': ['customer_id']}],
        meta = {
            'changes': [
                {'table': 'mrr_fact_ecommerce_orders', 'key': ['order_id']},
                {'table': 'mrr_dim_ecommerce_customers', 'key': ['customer_id']},
            ],
        },
    )
}}

with customers as (

    select * from {{ ref('dwh_dim_ecommerce_customers') }}

),

rates as (

    select
        currency,
        units_per_eur,
        valid_from,
        lead(valid_from, 1, 'infinity') over (partition by currency order by valid_from)
            as next_valid_from
    from {{ ref('stg_seed_ecommerce_currency_rates') }}

),

orders as (

    select * from {{ ref('stg_fact_ecommerce_orders') }}
    where {{ is_unread() }}

),

customer_periods as (

    {{ version_periods('customers', 'customer_key', 'customer_id', facts='orders') }}

),

dated_orders as (

    select
        *,
        (ordered_at at time zone '{{ var("business_time_zone") }}')::date as ordered_date
    from orders

),

orders_with_keys as (

    select
        dated_orders.order_id::bigint as order_id,
        dated_orders.customer_id::bigint as customer_id,
        coalesce(customer_periods.customer_key, -1) as customer_key,
        dated_orders.order_status,
        dated_orders.order_outcome,
        dated_orders.payment_method,
        dated_orders.currency,
        rates.units_per_eur,
        dated_orders.order_amount,
        (dated_orders.order_amount / rates.units_per_eur)::numeric(18, 2) as order_amount_eur,
        dated_orders.ordered_date,
        to_char(dated_orders.ordered_date, 'YYYYMMDD')::integer as ordered_date_key,
        dated_orders.ordered_at,
        dated_orders.updated_at
    from dated_orders
    left join customer_periods
        on
            dated_orders.customer_id = customer_periods.customer_id
            and dated_orders.ordered_at >= customer_periods.period_start
            and dated_orders.ordered_at < customer_periods.period_end
    left join rates
        on
            dated_orders.currency = rates.currency
            and dated_orders.ordered_date >= rates.valid_from
            and dated_orders.ordered_date < rates.next_valid_from

)

select * from orders_with_keys
