with sales as (

    select * from {{ ref('dwh_fact_sales') }}

),

products as (

    select * from {{ ref('dwh_dim_products') }}
    where is_current or is_deleted

),

daily_sales as (

    select
        sold_date,
        product_id,
        count(*) as sale_count,
        sum(sale_quantity)::bigint as sale_quantity
    from sales
    group by sold_date, product_id

),

daily_sales_with_names as (

    select
        daily_sales.sold_date,
        daily_sales.product_id,
        coalesce(products.product_name, 'unknown product ' || daily_sales.product_id)
            as product_name,
        coalesce(products.product_group, 'unknown group') as product_group,
        daily_sales.sale_count,
        daily_sales.sale_quantity
    from daily_sales
    left join products
        on daily_sales.product_id = products.product_id

)

select * from daily_sales_with_names
