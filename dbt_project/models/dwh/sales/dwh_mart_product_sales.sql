with sales as (

    select * from {{ ref('dwh_fact_sales') }}

),

products as (

    select * from {{ ref('dwh_dim_products') }}
    where is_current or is_deleted

),

last_day as (

    select max(sold_date) as last_sold_date from {{ ref('dwh_fact_sales') }}

),

-- a join with the last day would keep PostgreSQL from reading the sales in parallel
sales_in_parts as (

    select
        product_id,
        sale_quantity,
        {{ last_day_of_part('sold_date', '(select last_sold_date from last_day)') | indent(8) }}
            as sold_until
    from sales

),

sums_of_parts as (

    select
        sold_until,
        product_id,
        count(*) as sale_count,
        sum(sale_quantity)::bigint as sale_quantity
    from sales_in_parts
    group by sold_until, product_id

),

sums_with_names as (

    select
        sums_of_parts.sold_until,
        sums_of_parts.product_id,
        coalesce(products.product_name, 'unknown product ' || sums_of_parts.product_id)
            as product_name,
        coalesce(products.product_group, 'unknown group') as product_group,
        sums_of_parts.sale_count,
        sums_of_parts.sale_quantity
    from sums_of_parts
    left join products
        on sums_of_parts.product_id = products.product_id

)

select * from sums_with_names
