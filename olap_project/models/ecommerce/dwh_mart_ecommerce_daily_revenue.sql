{{
    config(
        order_by = ['ordered_date', 'country_code', 'category', 'currency'],
        partition_by = 'ifNull(toYYYYMM(ordered_date), 0)',
    )
}}

with items as (

    select * from {{ source('ecommerce', 'dwh_fact_ecommerce_order_items') }}

),

customers as (

    select * from {{ source('ecommerce', 'dwh_dim_ecommerce_customers') }}

),

products as (

    select * from {{ source('ecommerce', 'dwh_dim_ecommerce_products') }}

),

described_items as (

    select
        items.ordered_date as ordered_date,
        customers.country_code as country_code,
        products.category as category,
        items.currency as currency,
        items.order_outcome as order_outcome,
        items.item_quantity as item_quantity,
        items.item_amount as item_amount,
        items.item_amount_eur as item_amount_eur,
        items.item_margin_eur as item_margin_eur
    from items
    inner join customers
        on items.customer_key = customers.customer_key
    inner join products
        on items.product_key = products.product_key

),

daily_revenue as (

    select
        ordered_date,
        {{ first_day_of_month('ordered_date') }} as ordered_month,
        country_code,
        category,
        currency,
        count() as item_count,
        sumOrNullIf(item_quantity, order_outcome = 'sold') as sold_quantity,
        sumOrNullIf(item_amount, order_outcome = 'sold') as sold_amount,
        sumOrNullIf(item_amount_eur, order_outcome = 'sold') as sold_amount_eur,
        sumOrNullIf(item_margin_eur, order_outcome = 'sold') as margin_eur,
        sumOrNullIf(item_amount_eur, order_outcome = 'open') as open_amount_eur,
        sumOrNullIf(item_amount_eur, order_outcome = 'cancelled') as cancelled_amount_eur,
        sumOrNullIf(item_amount_eur, order_outcome = 'returned') as returned_amount_eur
    from described_items
    group by ordered_date, country_code, category, currency

)

select * from daily_revenue
