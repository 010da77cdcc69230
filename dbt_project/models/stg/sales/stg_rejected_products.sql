with checked as (

    select * from {{ ref('stg_checked_products') }}

),

rejected as (

    select
        product_id,
        product_name,
        product_group,
        rejection_reason,
        created_at,
        updated_at
    from checked
    where rejection_reason is not null

)

select * from rejected
