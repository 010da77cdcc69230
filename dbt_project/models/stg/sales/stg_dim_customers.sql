with checked as (

    select * from {{ ref('stg_checked_customers') }}

),

valid as (

    select
        customer_id,
        customer_name,
        country,
        created_at,
        updated_at
    from checked
    where rejection_reason is null

)

select * from valid
