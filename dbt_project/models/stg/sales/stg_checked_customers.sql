with mirrored as (

    select * from {{ source('sales', 'mrr_dim_customers') }}

),

customers as (

    select
        -- keys
        id as customer_id,

        -- attributes
        nullif(regexp_replace(name, '^\s+|\s+$', '', 'g'), '') as customer_name,
        nullif(regexp_replace(country, '^\s+|\s+$', '', 'g'), '') as country,

        -- timestamps
        created_at,
        updated_at
    from mirrored

),

checked as (

    select
        customer_id,
        customer_name,
        country,
        case
            when customer_name is null then 'name is missing'
        end as rejection_reason,
        created_at,
        updated_at
    from customers

)

select * from checked
