-- A mirrored row is a current version or a rejected row; another last version is a deleted one.
{%- set dimension = node_of('model.tidemark.dwh_dim_ecommerce_customers') %}
with mirrored as (

    select customer_id
    from {{ source('ecommerce', 'mrr_dim_ecommerce_customers') }}
    where {{ rows_to_test(dimension) or 'true' }}

),

rejected as (

    select customer_id
    from {{ ref('stg_rejected_ecommerce_customers') }}
    where {{ rows_to_test(dimension) or 'true' }}

),

last_versions as (

    select
        customer_id,
        count(*) filter (where is_current) as current_count,
        count(*) filter (where is_deleted) as deleted_count
    from {{ ref('dwh_dim_ecommerce_customers') }}
    where customer_key <> -1 and {{ rows_to_test(dimension) or 'true' }}
    group by customer_id

),

customers as (

    select
        coalesce(mirrored.customer_id, last_versions.customer_id) as customer_id,
        mirrored.customer_id is not null and rejected.customer_id is null as is_valid,
        coalesce(last_versions.current_count, 0) as current_count,
        coalesce(last_versions.deleted_count, 0) as deleted_count
    from mirrored
    left join rejected
        on mirrored.customer_id = rejected.customer_id
    full join last_versions
        on mirrored.customer_id = last_versions.customer_id

)

select * from customers
where
    (
        (is_valid and (current_count <> 1 or deleted_count <> 0))
        or (not is_valid and (current_count <> 0 or deleted_count > 1))
    )
    and customer_id not in (
        {{ unread_keys(dimension, 'mrr_dim_ecommerce_customers') | indent(8) }}
    )
