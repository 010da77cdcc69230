with items as (

    select * from {{ ref('dwh_fact_ecommerce_order_items') }}

),

products as (

    select * from {{ ref('dwh_dim_ecommerce_products') }}
    where is_current or is_deleted

),

suppliers as (

    select distinct on (supplier_id)
        supplier_id,
        supplier_name
    from {{ ref('dwh_dim_ecommerce_products') }}
    where supplier_id is not null
    order by supplier_id asc, valid_from desc

),

daily_revenue as (

    select
        ordered_date,
        product_id,
        supplier_id,
        count(*) as item_count,
        (sum(item_quantity) filter (where order_outcome = 'sold'))::bigint as sold_quantity,
        (sum(item_amount_eur) filter (where order_outcome = 'sold'))::numeric(18, 2)
            as sold_amount_eur,
        (sum(item_margin_eur) filter (where order_outcome = 'sold'))::numeric(18, 2)
            as margin_eur
    from items
    group by ordered_date, product_id, supplier_id

),

daily_revenue_with_names as (

    select
        daily_revenue.ordered_date,
        daily_revenue.product_id,
        daily_revenue.supplier_id,
        coalesce(products.product_name, 'unknown product ' || daily_revenue.product_id)
            as product_name,
        coalesce(products.category, 'unknown category') as category,
        coalesce(suppliers.supplier_name, 'unknown supplier') as supplier_name,
        daily_revenue.item_count,
        daily_revenue.sold_quantity,
        daily_revenue.sold_amount_eur,
        daily_revenue.margin_eur
    from daily_revenue
    left join products
        on daily_revenue.product_id = products.product_id
    left join suppliers
        on daily_revenue.supplier_id = suppliers.supplier_id

)

select * from daily_revenue_with_names
