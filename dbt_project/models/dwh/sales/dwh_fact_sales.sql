-- Cursor: the change log of the sales, and of the customers and products they name, by key, as far
-- as those dimensions have been built. Overlap: none, a position in that log is exact. A late sale
-- is read when it arrives; a late customer or product takes over its sales from the unknown member;
-- a sale that was deleted, or became invalid, leaves.
{{
    config(
        materialized = 'incremental',
        unique_key = 'sale_id',
        indexes = [{'columns': ['customer_id']}, {'columns': ['product_id']}],
        meta = {
            'changes': [
                {'table': 'mrr_fact_sales', 'key': ['sale_id']},
                {'table': 'mrr_dim_customers', 'key': ['customer_id']},
                {'table': 'mrr_dim_products', 'key': ['product_id']},
            ],
        },
    )
}}

with customers as (

    select * from {{ ref('dwh_dim_customers') }}

),

products as (

    select * from {{ ref('dwh_dim_products') }}

),

sales as (

    select * from {{ ref('stg_fact_sales') }}
    where {{ is_unread() }}

),

customer_periods as (

    {{ version_periods('customers', 'customer_key', 'customer_id', facts='sales') }}

),

product_periods as (

    {{ version_periods('products', 'product_key', 'product_id', facts='sales') }}

),

dated_sales as (

    select
        sale_id,
        customer_id,
        product_id,
        sale_quantity,
        (created_at at time zone '{{ var("business_time_zone") }}')::date as sold_date,
        created_at,
        updated_at
    from sales

),

sales_with_keys as (

    select
        dated_sales.sale_id::bigint as sale_id,
        dated_sales.customer_id::bigint as customer_id,
        dated_sales.product_id::bigint as product_id,
        coalesce(customer_periods.customer_key, -1) as customer_key,
        coalesce(product_periods.product_key, -1) as product_key,
        dated_sales.sale_quantity,
        dated_sales.sold_date,
        coalesce(to_char(dated_sales.sold_date, 'YYYYMMDD')::integer, -1) as sold_date_key,
        dated_sales.created_at,
        dated_sales.updated_at
    from dated_sales
    left join customer_periods
        on
            dated_sales.customer_id = customer_periods.customer_id
            and coalesce(dated_sales.created_at, '-infinity') >= customer_periods.period_start
            and coalesce(dated_sales.created_at, '-infinity') < customer_periods.period_end
    left join product_periods
        on
            dated_sales.product_id = product_periods.product_id
            and coalesce(dated_sales.created_at, '-infinity') >= product_periods.period_start
            and coalesce(dated_sales.created_at, '-infinity') < product_periods.period_end

)

select * from sales_with_keys
