with mirrored as (

    select * from {{ source('sales', 'mrr_fact_sales') }}

),

sales as (

    select
        -- keys
        id as sale_id,
        "customerId" as customer_id,
        "productId" as product_id,

        -- measures
        qty::bigint as sale_quantity,

        -- timestamps
        created_at,
        updated_at
    from mirrored

),

checked as (

    select
        sale_id,
        customer_id,
        product_id,
        sale_quantity,
        case
            when customer_id is null then 'no customer is named'
            when product_id is null then 'no product is named'
            when sale_quantity is null or sale_quantity <= 0 then 'quantity is not above zero'
        end as rejection_reason,
        created_at,
        updated_at
    from sales

)

select * from checked
