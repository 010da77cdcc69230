-- Reads all sales. A run that tests only changed rows skips it; dbt that a user starts does not.
{%- set facts = node_of('model.tidemark.dwh_fact_sales') %}
with totals as (

    select
        'fact' as relation_name,
        count(*) as sale_count,
        sum(sale_quantity) as sale_quantity
    from {{ ref('dwh_fact_sales') }}
    union all
    select
        'daily sales' as relation_name,
        coalesce(sum(sale_count), 0) as sale_count,
        sum(sale_quantity) as sale_quantity
    from {{ ref('dwh_mart_daily_sales') }}
    union all
    select
        'products' as relation_name,
        coalesce(sum(sale_count), 0) as sale_count,
        sum(sale_quantity) as sale_quantity
    from {{ ref('dwh_mart_product_sales') }}
    union all
    select
        'customers' as relation_name,
        coalesce(sum(sale_count), 0) as sale_count,
        sum(sale_quantity) as sale_quantity
    from {{ ref('dwh_mart_customer_sales') }}

)

select
    counted.relation_name,
    counted.sale_count,
    counted.sale_quantity
from totals as counted
inner join totals as expected
    on expected.relation_name = 'fact'
where
    {{ 'false' if rows_to_test(facts) else 'true' }}
    and (counted.sale_count, counted.sale_quantity)
    is distinct from (expected.sale_count, expected.sale_quantity)
