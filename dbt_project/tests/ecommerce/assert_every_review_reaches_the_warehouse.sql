{%- set facts = node_of('model.tidemark.dwh_fact_ecommerce_product_reviews') -%}
with mirrored as (

    select
        review_id,
        rating
    from {{ source('ecommerce', 'mrr_fact_ecommerce_product_reviews') }}
    where {{ rows_to_test(facts) or 'true' }}

),

warehouse as (

    select
        review_id,
        rating
    from {{ ref('dwh_fact_ecommerce_product_reviews') }}
    where {{ rows_to_test(facts) or 'true' }}
    union all
    select
        review_id,
        rating
    from {{ ref('stg_rejected_ecommerce_product_reviews') }}
    where {{ rows_to_test(facts) or 'true' }}

),

differences as (

    select
        coalesce(mirrored.review_id, warehouse.review_id) as review_id,
        mirrored.rating as mirrored_rating,
        warehouse.rating as warehouse_rating
    from mirrored
    full join warehouse
        on mirrored.review_id = warehouse.review_id
    where
        mirrored.review_id is null
        or warehouse.review_id is null
        or mirrored.rating is distinct from warehouse.rating

)

select * from differences
where review_id not in (
    {{ unread_keys(facts, 'mrr_fact_ecommerce_product_reviews') | indent(4) }}
)
