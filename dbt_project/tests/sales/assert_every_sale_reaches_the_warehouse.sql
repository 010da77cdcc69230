{%- set facts = node_of('model.tidemark.dwh_fact_sales') -%}
with mirrored as (

    select
        id as sale_id,
        qty as sale_quantity
    from {{ source('sales', 'mrr_fact_sales') }}
    where {{ rows_to_test(facts, ['id']) or 'true' }}

),

warehouse as (

    select
        sale_id,
        sale_quantity
    from {{ ref('dwh_fact_sales') }}
    where {{ rows_to_test(facts) or 'true' }}
    union all
    select
        sale_id,
        sale_quantity
    from {{ ref('stg_rejected_sales') }}
    where {{ rows_to_test(facts) or 'true' }}

),

differences as (

    select
        coalesce(mirrored.sale_id, warehouse.sale_id) as sale_id,
        mirrored.sale_quantity as mirrored_quantity,
        warehouse.sale_quantity as warehouse_quantity
    from mirrored
    full join warehouse
        on mirrored.sale_id = warehouse.sale_id
    where
        mirrored.sale_id is null
        or warehouse.sale_id is null
        or mirrored.sale_quantity is distinct from warehouse.sale_quantity

)

select * from differences
where sale_id not in (
    {{ unread_keys(facts, 'mrr_fact_sales') | indent(4) }}
)
