with products as (

    select * from {{ ref('dwh_dim_ecommerce_products') }}
    where is_current and supplier_id is not null

),

items as (

    select * from {{ ref('dwh_fact_ecommerce_order_items') }}

),

recent_sales as (

    select
        product_id,
        sum(item_quantity) as sold_quantity
    from items
    where
        order_outcome = 'sold'
        and ordered_at >= now() - interval '{{ var("stock_pace_days") }} days'
    group by product_id

),

product_needs as (

    select
        products.supplier_id,
        products.supplier_name,
        products.supplier_country_code,
        products.lead_time_days,
        products.stock_quantity,
        coalesce(recent_sales.sold_quantity, 0) as sold_quantity,
        coalesce(recent_sales.sold_quantity, 0) * products.lead_time_days
        / {{ var('stock_pace_days') }}::numeric as needed_quantity
    from products
    left join recent_sales
        on products.product_id = recent_sales.product_id

),

suppliers as (

    select
        supplier_id,
        supplier_name,
        supplier_country_code,
        lead_time_days,
        count(*) as product_count,
        count(*) filter (where stock_quantity = 0) as out_of_stock_product_count,
        count(*) filter (where stock_quantity < needed_quantity) as short_product_count,
        sum(stock_quantity)::bigint as stock_quantity,
        sum(sold_quantity)::bigint as sold_quantity,
        sum(greatest(needed_quantity - stock_quantity, 0))::numeric(18, 1) as missing_quantity,
        (now() at time zone '{{ var("business_time_zone") }}')::date as stock_date
    from product_needs
    group by supplier_id, supplier_name, supplier_country_code, lead_time_days

)

select * from suppliers
