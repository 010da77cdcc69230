-- Cursor: the change log of the items, and of the orders, products, customers and suppliers they
-- belong to, by key, as far as those have been built. Overlap: none, a position in that log is
-- exact. A late item is read when it arrives; a late order, product, customer or supplier takes
-- over its items from the unknown member; an item that was deleted, or became invalid, leaves.
{{
    config(
        materialized = 'incremental',
        unique_key = ['order_id', 'product_id'],
        indexes = [
            {'columns': ['product_id']},
            {'columns': ['customer_id']},
            {'columns': ['supplier_id']},
        ],
        meta = {
            'changes': [
                {'table': 'mrr_fact_ecommerce_order_items', 'key': ['order_id', 'product_id']},
                {'table': 'mrr_fact_ecommerce_orders', 'key': ['order_id']},
                {'table': 'mrr_dim_ecommerce_products', 'key': ['product_id']},
                {'table': 'mrr_dim_ecommerce_customers', 'key': ['customer_id']},
                {'table': 'mrr_dim_ecommerce_suppliers', 'key': ['supplier_id']},
            ],
        },
    )
}}

with orders as (

    select * from {{ ref('dwh_fact_ecommerce_orders') }}

),

products as (

    select * from {{ ref('dwh_dim_ecommerce_products') }}

),

items as (

    select * from {{ ref('stg_fact_ecommerce_order_items') }}
    where {{ is_unread() }}

),

product_periods as (

    {{ version_periods('products', 'product_key', 'product_id', facts='items') }}

),

items_with_keys as (

    select
        items.order_id::bigint as order_id,
        items.product_id::bigint as product_id,
        orders.customer_id,
        products.supplier_id,
        coalesce(orders.customer_key, -1) as customer_key,
        coalesce(product_periods.product_key, -1) as product_key,
        coalesce(orders.order_outcome, 'unknown') as order_outcome,
        orders.currency,
        items.item_quantity,
        items.unit_price,
        items.discount_amount,
        items.item_amount,
        (items.discount_amount / orders.units_per_eur)::numeric(18, 2) as discount_amount_eur,
        (items.item_amount / orders.units_per_eur)::numeric(18, 2) as item_amount_eur,
        (items.item_quantity * products.cost_eur)::numeric(18, 2) as item_cost_eur,
        orders.ordered_date,
        coalesce(orders.ordered_date_key, -1) as ordered_date_key,
        orders.ordered_at
    from items
    left join orders
        on items.order_id = orders.order_id
    left join product_periods
        on
            items.product_id = product_periods.product_id
            and coalesce(orders.ordered_at, '-infinity') >= product_periods.period_start
            and coalesce(orders.ordered_at, '-infinity') < product_periods.period_end
    left join products
        on product_periods.product_key = products.product_key

),

items_with_margin as (

    select
        order_id,
        product_id,
        customer_id,
        supplier_id,
        customer_key,
        product_key,
        order_outcome,
        currency,
        item_quantity,
        unit_price,
        discount_amount,
        item_amount,
        discount_amount_eur,
        item_amount_eur,
        item_cost_eur,
        (item_amount_eur - item_cost_eur)::numeric(18, 2) as item_margin_eur,
        ordered_date,
        ordered_date_key,
        ordered_at
    from items_with_keys

)

select * from items_with_margin
