{{
    config(
        order_by = ['ordered_date', 'product_id', 'supplier_id'],
        partition_by = 'ifNull(toYYYYMM(ordered_date), 0)',
    )
}}

with items as (

    select * from {{ source('ecommerce', 'dwh_fact_ecommerce_order_items') }}

),

products as (

    select * from {{ source('ecommerce', 'dwh_dim_ecommerce_products') }}
    where is_current or is_deleted

),

suppliers as (

    select
        supplier_id,
        argMax(supplier_name, valid_from) as supplier_name
    from {{ source('ecommerce', 'dwh_dim_ecommerce_products') }}
    where supplier_id is not null
    group by supplier_id

),

daily_revenue as (

    select
        items.ordered_date as ordered_date,
        items.product_id as product_id,
        items.supplier_id as supplier_id,
        count() as item_count,
        sumOrNullIf(items.item_quantity, items.order_outcome = 'sold') as sold_quantity,
        sumOrNullIf(items.item_amount_eur, items.order_outcome = 'sold') as sold_amount_eur,
        sumOrNullIf(items.item_margin_eur, items.order_outcome = 'sold') as margin_eur
    from items
    group by items.ordered_date, items.product_id, items.supplier_id

),

daily_revenue_with_names as (

    select
        daily_revenue.ordered_date as ordered_date,
        daily_revenue.product_id as product_id,
        daily_revenue.supplier_id as supplier_id,
        coalesce(products.product_name, 'unknown product ' || daily_revenue.product_id)
            as product_name,
        coalesce(products.category, 'unknown category') as category,
        coalesce(suppliers.supplier_name, 'unknown supplier') as supplier_name,
        daily_revenue.item_count as item_count,
        daily_revenue.sold_quantity as sold_quantity,
        daily_revenue.sold_amount_eur as sold_amount_eur,
        daily_revenue.margin_eur as margin_eur
    from daily_revenue
    left join products
        on daily_revenue.product_id = products.product_id
    left join suppliers
        on daily_revenue.supplier_id = suppliers.supplier_id

)

select * from daily_revenue_with_names
