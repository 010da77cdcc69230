-- Reads all items. A run that tests only changed rows skips it; dbt that a user starts does not.
{%- set facts = node_of('model.tidemark.dwh_fact_ecommerce_order_items') %}
with items as (

    select
        count(*) as item_count,
        sum(item_amount_eur) as amount_eur,
        sum(item_amount_eur) filter (where order_outcome = 'sold') as sold_amount_eur,
        sum(item_margin_eur) filter (where order_outcome = 'sold') as margin_eur
    from {{ ref('dwh_fact_ecommerce_order_items') }}

),

revenue as (

    select
        sum(item_count) as item_count,
        sum(
            coalesce(sold_amount_eur, 0)
            + coalesce(open_amount_eur, 0)
            + coalesce(cancelled_amount_eur, 0)
            + coalesce(returned_amount_eur, 0)
        ) as amount_eur
    from {{ ref('dwh_mart_ecommerce_daily_revenue') }}

),

margin as (

    select
        sum(sold_amount_eur) as sold_amount_eur,
        sum(margin_eur) as margin_eur
    from {{ ref('dwh_mart_ecommerce_monthly_margin') }}

),

products as (

    select
        sum(item_count) as item_count,
        sum(sold_amount_eur) as sold_amount_eur,
        sum(margin_eur) as margin_eur
    from {{ ref('dwh_mart_ecommerce_daily_product_revenue') }}

),

customers as (

    select
        sum(item_count) as item_count,
        sum(sold_amount_eur) as sold_amount_eur,
        sum(margin_eur) as margin_eur
    from {{ ref('dwh_mart_ecommerce_customer_revenue') }}

)

select
    items.*,
    revenue.item_count as counted_items,
    revenue.amount_eur as counted_amount_eur,
    margin.sold_amount_eur as counted_sold_amount_eur,
    margin.margin_eur as counted_margin_eur,
    products.item_count as items_of_products,
    products.sold_amount_eur as sold_amount_eur_of_products,
    products.margin_eur as margin_eur_of_products,
    customers.item_count as items_of_customers,
    customers.sold_amount_eur as sold_amount_eur_of_customers,
    customers.margin_eur as margin_eur_of_customers
from items
cross join revenue
cross join margin
cross join products
cross join customers
where
    {{ 'false' if rows_to_test(facts) else 'true' }}
    and (
        items.item_count is distinct from coalesce(revenue.item_count, 0)
        or coalesce(items.amount_eur, 0) is distinct from coalesce(revenue.amount_eur, 0)
        or items.sold_amount_eur is distinct from margin.sold_amount_eur
        or items.margin_eur is distinct from margin.margin_eur
        or (items.item_count, items.sold_amount_eur, items.margin_eur) is distinct from
        (coalesce(products.item_count, 0), products.sold_amount_eur, products.margin_eur)
        or (items.item_count, items.sold_amount_eur, items.margin_eur) is distinct from
        (coalesce(customers.item_count, 0), customers.sold_amount_eur, customers.margin_eur)
    )
