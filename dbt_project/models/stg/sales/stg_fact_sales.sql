with checked as (

    select * from {{ ref('stg_checked_sales') }}

),

valid as (

    select
        sale_id,
        customer_id,
        product_id,
        sale_quantity,
        created_at,
        updated_at
    from checked
    where rejection_reason is null

)

select * from valid
