-- A mirrored row is a current version or a rejected row; another last version is a deleted one.
{%- set dimension = node_of('model.tidemark.dwh_dim_ecommerce_products') %}
with mirrored as (

    select product_id
    from {{ source('ecommerce', 'mrr_dim_ecommerce_products') }}
    where {{ rows_to_test(dimension) or 'true' }}

),

rejected as (

    select product_id
    from {{ ref('stg_rejected_ecommerce_products') }}
    where {{ rows_to_test(dimension) or 'true' }}

),

last_versions as (

    select
        product_id,
        count(*) filter (where is_current) as current_count,
        count(*) filter (where is_deleted) as deleted_count
    from {{ ref('dwh_dim_ecommerce_products') }}
    where product_key <> -1 and {{ rows_to_test(dimension) or 'true' }}
    group by product_id

),

products as (

    select
        coalesce(mirrored.product_id, last_versions.product_id) as product_id,
        mirrored.product_id is not null and rejected.product_id is null as is_valid,
        coalesce(last_versions.current_count, 0) as current_count,
        coalesce(last_versions.deleted_count, 0) as deleted_count
    from mirrored
    left join rejected
        on mirrored.product_id = rejected.product_id
    full join last_versions
        on mirrored.product_id = last_versions.product_id

)

select * from products
where
    (
        (is_valid and (current_count <> 1 or deleted_count <> 0))
        or (not is_valid and (current_count <> 0 or deleted_count > 1))
    )
    and product_id not in (
        {{ unread_keys(dimension, 'mrr_dim_ecommerce_products') | indent(8) }}
    )
