{{ config(order_by = ['product_id', 'sold_until']) }}

with sales as (

    select * from {{ source('sales', 'dwh_fact_sales') }}

),

products as (

    select * from {{ source('sales', 'dwh_dim_products') }}
    where is_current or is_deleted

),

last_day as (

    select max(sold_date) as last_sold_date from {{ source('sales', 'dwh_fact_sales') }}

),

sales_in_parts as (

    select
        sales.product_id as product_id,
        sales.sale_quantity as sale_quantity,
        {{
            last_day_of_part('sales.sold_date', '(select last_sold_date from last_day)')
            | indent(8)
        }} as sold_until
    from sales

),

sums_of_parts as (

    select
        sales_in_parts.sold_until as sold_until,
        sales_in_parts.product_id as product_id,
        count() as sale_count,
        sum(sales_in_parts.sale_quantity) as sale_quantity
    from sales_in_parts
    group by sales_in_parts.sold_until, sales_in_parts.product_id

),

sums_with_names as (

    select
        sums_of_parts.sold_until as sold_until,
        sums_of_parts.product_id as product_id,
        coalesce(products.product_name, 'unknown product ' || sums_of_parts.product_id)
            as product_name,
        coalesce(products.product_group, 'unknown group') as product_group,
        sums_of_parts.sale_count as sale_count,
        sums_of_parts.sale_quantity as sale_quantity
    from sums_of_parts
    left join products
        on sums_of_parts.product_id = products.product_id

)

select * from sums_with_names
