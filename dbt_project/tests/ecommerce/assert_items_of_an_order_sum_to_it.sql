-- Holds where both tables are of one moment of the shop. Items have no cursor, so that a run that
-- finds some changed fetches them a moment later, and says so; this then waits for a run that finds
-- none. Reads all items: a run that tests only changed rows skips it; dbt that a user starts does
-- not.
{%- set facts = node_of('model.tidemark.dwh_fact_ecommerce_order_items') %}
with last_verifications as (

    select distinct on (table_name)
        table_name,
        moment_id
    from {{ source('control', 'mirror_verification') }}
    where table_name in ('mrr_fact_ecommerce_orders', 'mrr_fact_ecommerce_order_items')
    order by table_name asc, checked_to desc

),

one_moment as (

    select moment_id
    from last_verifications
    group by moment_id
    having count(moment_id) = 2

),

sums_of_items as (

    select
        order_id,
        sum(item_amount) as item_amount
    from {{ ref('stg_checked_ecommerce_order_items') }}
    group by order_id

),

orders as (

    select
        order_id,
        order_amount
    from {{ ref('stg_checked_ecommerce_orders') }}

)

select
    coalesce(orders.order_id, sums_of_items.order_id) as order_id,
    orders.order_amount,
    sums_of_items.item_amount
from orders
full join sums_of_items
    on orders.order_id = sums_of_items.order_id
where
    {{ 'false' if rows_to_test(facts) else 'true' }}
    and orders.order_amount is distinct from sums_of_items.item_amount
    and exists (select 1 from one_moment)
