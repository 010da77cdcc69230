-- Reads all items. A run that tests only changed rows skips it; dbt that a user starts does not.
{%- set facts = node_of('model.tidemark.dwh_fact_ecommerce_order_items') %}
with revenue as (

    select concat_ws('|', ordered_date, country_code, category, currency) as row_key
    from {{ ref('dwh_mart_ecommerce_daily_revenue') }}

),

margin as (

    select concat_ws('|', ordered_month, category) as row_key
    from {{ ref('dwh_mart_ecommerce_monthly_margin') }}

),

keys as (

    select
        'revenue' as mart,
        row_key
    from revenue
    union all
    select
        'margin' as mart,
        row_key
    from margin

)

select
    mart,
    row_key,
    count(*) as row_count
from keys
where {{ 'false' if rows_to_test(facts) else 'true' }}
group by mart, row_key
having count(*) > 1
