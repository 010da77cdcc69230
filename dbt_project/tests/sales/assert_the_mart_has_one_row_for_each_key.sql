-- Reads all sales. A run that tests only changed rows skips it; dbt that a user starts does not.
{%- set facts = node_of('model.tidemark.dwh_fact_sales') %}
select
    sold_date,
    country,
    product_group,
    count(*) as row_count
from {{ ref('dwh_mart_daily_sales') }}
where {{ 'false' if rows_to_test(facts) else 'true' }}
group by sold_date, country, product_group
having count(*) > 1 or country is null or product_group is null
