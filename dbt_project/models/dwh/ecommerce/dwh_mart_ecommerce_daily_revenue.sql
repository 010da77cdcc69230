with items as (

    select * from {{ ref('dwh_fact_ecommerce_order_items') }}

),

customers as (

    select * from {{ ref('dwh_dim_ecommerce_customers') }}

),

products as (

    select * from {{ ref('dwh_dim_ecommerce_products') }}

),

described_items as (

    select
        items.ordered_date,
        customers.country_code,
        products.category,
        items.currency,
        items.order_outcome,
        items.item_quantity,
        items.item_amount,
        items.item_amount_eur,
        items.item_margin_eur
    from items
    inner join customers
        on items.customer_key = customers.customer_key
    inner join products
        on items.product_key = products.product_key

),

daily_revenue as (

    select
        ordered_date,
        date_trunc('month', ordered_date)::date as ordered_month,
        country_code,
        category,
        currency,
        count(*) as item_count,
        (sum(item_quantity) filter (where order_outcome = 'sold'))::bigint as sold_quantity,
        (sum(item_amount) filter (where order_outcome = 'sold'))::numeric(18, 2) as sold_amount,
        (sum(item_amount_eur) filter (where order_outcome = 'sold'))::numeric(18, 2)
            as sold_amount_eur,
        (sum(item_margin_eur) filter (where order_outcome = 'sold'))::numeric(18, 2)
            as margin_eur,
        (sum(item_amount_eur) filter (where order_outcome = 'open'))::numeric(18, 2)
            as open_amount_eur,
        (sum(item_amount_eur) filter (where order_outcome = 'cancelled'))::numeric(18, 2)
            as cancelled_amount_eur,
        (sum(item_amount_eur) filter (where order_outcome = 'returned'))::numeric(18, 2)
            as returned_amount_eur
    from described_items
    group by ordered_date, country_code, category, currency

)

select * from daily_revenue
