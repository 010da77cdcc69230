{%- set facts = node_of('model.tidemark.dwh_fact_ecommerce_orders') -%}
with mirrored as (

    select
        order_id,
        total_amount as order_amount
    from {{ source('ecommerce', 'mrr_fact_ecommerce_orders') }}
    where {{ rows_to_test(facts) or 'true' }}

),

warehouse as (

    select
        order_id,
        order_amount
    from {{ ref('dwh_fact_ecommerce_orders') }}
    where {{ rows_to_test(facts) or 'true' }}
    union all
    select
        order_id,
        order_amount
    from {{ ref('stg_rejected_ecommerce_orders') }}
    where {{ rows_to_test(facts) or 'true' }}

),

differences as (

    select
        coalesce(mirrored.order_id, warehouse.order_id) as order_id,
        mirrored.order_amount as mirrored_amount,
        warehouse.order_amount as warehouse_amount
    from mirrored
    full join warehouse
        on mirrored.order_id = warehouse.order_id
    where
        mirrored.order_id is null
        or warehouse.order_id is null
        or mirrored.order_amount is distinct from warehouse.order_amount

)

select * from differences
where order_id not in (
    {{ unread_keys(facts, 'mrr_fact_ecommerce_orders') | indent(4) }}
)
