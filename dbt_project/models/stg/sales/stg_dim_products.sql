with checked as (

    select * from {{ ref('stg_checked_products') }}

),

valid as (

    select
        product_id,
        product_name,
        product_group,
        created_at,
        updated_at
    from checked
    where rejection_reason is null

)

select * from valid
