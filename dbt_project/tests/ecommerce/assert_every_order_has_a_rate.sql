-- A missing rate must not keep the items and the marts of all orders from being built. dbt builds
-- nothing on what fails a test, unless the test also needs something that is built last:
-- depends_on: {{ ref('dwh_mart_ecommerce_daily_revenue') }}
{%- set orders = node_of('model.tidemark.dwh_fact_ecommerce_orders') %}
{%- set items = node_of('model.tidemark.dwh_fact_ecommerce_order_items') %}
select
    order_id,
    currency,
    ordered_date
from {{ ref('dwh_fact_ecommerce_orders') }}
where order_amount_eur is null and {{ rows_to_test(orders) or 'true' }}
union
select
    order_id,
    currency,
    ordered_date
from {{ ref('dwh_fact_ecommerce_order_items') }}
where
    item_amount_eur is null
    and order_outcome <> 'unknown'
    and {{ rows_to_test(items) or 'true' }}
