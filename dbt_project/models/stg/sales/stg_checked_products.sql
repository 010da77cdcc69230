with mirrored as (

    select * from {{ source('sales', 'mrr_dim_products') }}

),

products as (

    select
        -- keys
        id as product_id,

        -- attributes
        nullif(regexp_replace(name, '^\s+|\s+$', '', 'g'), '') as product_name,
        nullif(regexp_replace(groupname, '^\s+|\s+$', '', 'g'), '') as product_group,

        -- timestamps
        created_at,
        updated_at
    from mirrored

),

checked as (

    select
        product_id,
        product_name,
        product_group,
        case
            when product_name is null then 'name is missing'
        end as rejection_reason,
        created_at,
        updated_at
    from products

)

select * from checked
