-- Reads all sales. A run that tests only changed rows skips it; dbt that a user starts does not.
{%- set facts = node_of('model.tidemark.dwh_fact_sales') %}
with sales as (

    select
        count(*) as sale_count,
        sum(sale_quantity) as sale_quantity
    from {{ ref('dwh_fact_sales') }}

),

counted as (

    select
        sum(sale_count) as sale_count,
        sum(sale_quantity) as sale_quantity
    from {{ ref('dwh_mart_daily_sales') }}

)

select
    sales.sale_count,
    counted.sale_count as counted_sales,
    sales.sale_quantity,
    counted.sale_quantity as counted_quantity
from sales
cross join counted
where
    {{ 'false' if rows_to_test(facts) else 'true' }}
    and (
        sales.sale_count is distinct from coalesce(counted.sale_count, 0)
        or sales.sale_quantity is distinct from counted.sale_quantity
    )
