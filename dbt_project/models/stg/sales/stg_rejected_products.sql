with checked as (

    {{ checked_products(source('sales', 'mrr_dim_products')) }}

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
