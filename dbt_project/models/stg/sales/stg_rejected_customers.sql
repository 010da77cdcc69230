with checked as (

    select * from {{ ref('stg_checked_customers') }}

),

rejected as (

    select
        customer_id,
        customer_name,
        country,
        rejection_reason,
        created_at,
        updated_at
    from checked
    where rejection_reason is not null

)

select * from rejected
