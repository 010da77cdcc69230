with checked as (

    select * from {{ ref('stg_checked_sales') }}

),

rejected as (

    select
        sale_id,
        customer_id,
        product_id,
        sale_quantity,
        rejection_reason,
        created_at,
        updated_at
    from checked
    where rejection_reason is not null

)

select * from rejected
