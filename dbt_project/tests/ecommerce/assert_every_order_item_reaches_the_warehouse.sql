{%- set facts = node_of('model.tidemark.dwh_fact_ecommerce_order_items') -%}
with mirrored as (

    select
        order_id,
        product_id,
        quantity as item_quantity,
        total_price as item_amount
    from {{ source('ecommerce', 'mrr_fact_ecommerce_order_items') }}
    where {{ rows_to_test(facts) or 'true' }}

),

warehouse as (

    select
        order_id,
        product_id,
        item_quantity,
        item_amount
    from {{ ref('dwh_fact_ecommerce_order_items') }}
    where {{ rows_to_test(facts) or 'true' }}
    union all
    select
        order_id,
        product_id,
        item_quantity,
        item_amount
    from {{ ref('stg_rejected_ecommerce_order_items') }}
    where {{ rows_to_test(facts) or 'true' }}

),

differences as (

    select
        coalesce(mirrored.order_id, warehouse.order_id) as order_id,
        coalesce(mirrored.product_id, warehouse.product_id) as product_id,
        mirrored.item_amount as mirrored_amount,
        warehouse.item_amount as warehouse_amount
    from mirrored
    full join warehouse
        on
            mirrored.order_id = warehouse.order_id
            and mirrored.product_id = warehouse.product_id
    where
        mirrored.order_id is null
        or warehouse.order_id is null
        or mirrored.item_quantity is distinct from warehouse.item_quantity
        or mirrored.item_amount is distinct from warehouse.item_amount

)

select * from differences
where (order_id, product_id) not in (
    {{ unread_keys(facts, 'mrr_fact_ecommerce_order_items') | indent(4) }}
)
