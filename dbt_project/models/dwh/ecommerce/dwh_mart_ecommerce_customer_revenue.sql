with items as (

    select * from {{ ref('dwh_fact_ecommerce_order_items') }}

),

customers as (

    select * from {{ ref('dwh_dim_ecommerce_customers') }}
    where customer_id is not null and (is_current or is_deleted)

),

last_day as (

    select max(ordered_date) as last_ordered_date
    from {{ ref('dwh_fact_ecommerce_order_items') }}

),

-- a join with the last day would keep PostgreSQL from reading the items in parallel
items_in_parts as (

    select
        customer_id,
        order_outcome,
        item_quantity,
        item_amount_eur,
        item_margin_eur,
        {{
            last_day_of_part('ordered_date', '(select last_ordered_date from last_day)')
            | indent(8)
        }} as ordered_until
    from items

),

sums_of_parts as (

    select
        ordered_until,
        customer_id,
        count(*) as item_count,
        (sum(item_quantity) filter (where order_outcome = 'sold'))::bigint as sold_quantity,
        (sum(item_amount_eur) filter (where order_outcome = 'sold'))::numeric(18, 2)
            as sold_amount_eur,
        (sum(item_margin_eur) filter (where order_outcome = 'sold'))::numeric(18, 2)
            as margin_eur
    from items_in_parts
    group by ordered_until, customer_id

),

sums_with_countries as (

    select
        sums_of_parts.ordered_until,
        sums_of_parts.customer_id,
        coalesce(customers.country_code, 'unknown country') as country_code,
        coalesce(
            'Customer ' || sums_of_parts.customer_id
            || ' (' || coalesce(customers.country_code, 'unknown country') || ')',
            'unknown customer'
        ) as customer,
        sums_of_parts.item_count,
        sums_of_parts.sold_quantity,
        sums_of_parts.sold_amount_eur,
        sums_of_parts.margin_eur
    from sums_of_parts
    left join customers
        on sums_of_parts.customer_id = customers.customer_id

)

select * from sums_with_countries
