{{ config(order_by = ['customer_id', 'ordered_until']) }}

with items as (

    select * from {{ source('ecommerce', 'dwh_fact_ecommerce_order_items') }}

),

customers as (

    select * from {{ source('ecommerce', 'dwh_dim_ecommerce_customers') }}
    where customer_id is not null and (is_current or is_deleted)

),

last_day as (

    select max(ordered_date) as last_ordered_date
    from {{ source('ecommerce', 'dwh_fact_ecommerce_order_items') }}

),

items_in_parts as (

    select
        items.customer_id as customer_id,
        items.order_outcome as order_outcome,
        items.item_quantity as item_quantity,
        items.item_amount_eur as item_amount_eur,
        items.item_margin_eur as item_margin_eur,
        {{
            last_day_of_part('items.ordered_date', '(select last_ordered_date from last_day)')
            | indent(8)
        }} as ordered_until
    from items

),

sums_of_parts as (

    select
        ordered_until,
        customer_id,
        count() as item_count,
        sumOrNullIf(item_quantity, order_outcome = 'sold') as sold_quantity,
        sumOrNullIf(item_amount_eur, order_outcome = 'sold') as sold_amount_eur,
        sumOrNullIf(item_margin_eur, order_outcome = 'sold') as margin_eur
    from items_in_parts
    group by ordered_until, customer_id

),

sums_with_countries as (

    select
        sums_of_parts.ordered_until as ordered_until,
        sums_of_parts.customer_id as customer_id,
        coalesce(customers.country_code, 'unknown country') as country_code,
        coalesce(
            'Customer ' || sums_of_parts.customer_id
            || ' (' || coalesce(customers.country_code, 'unknown country') || ')',
            'unknown customer'
        ) as customer,
        sums_of_parts.item_count as item_count,
        sums_of_parts.sold_quantity as sold_quantity,
        sums_of_parts.sold_amount_eur as sold_amount_eur,
        sums_of_parts.margin_eur as margin_eur
    from sums_of_parts
    left join customers
        on sums_of_parts.customer_id = customers.customer_id

)

select * from sums_with_countries
