{{
    config(
        order_by = ['sold_date', 'country', 'product_group'],
        partition_by = 'ifNull(toYYYYMM(sold_date), 0)',
    )
}}

with sales as (

    select * from {{ source('sales', 'dwh_fact_sales') }}

),

customers as (

    select * from {{ source('sales', 'dwh_dim_customers') }}

),

products as (

    select * from {{ source('sales', 'dwh_dim_products') }}

),

daily_sales as (

    select
        sales.sold_date as sold_date,
        customers.country as country,
        products.product_group as product_group,
        count() as sale_count,
        sum(sales.sale_quantity) as sale_quantity,
        countIf(sales.sale_quantity >= {{ var('large_sale_quantity') }}) as large_sale_count
    from sales
    inner join customers
        on sales.customer_key = customers.customer_key
    inner join products
        on sales.product_key = products.product_key
    group by sales.sold_date, customers.country, products.product_group

)

select * from daily_sales
