with segments as (

    select * from {{ ref('stg_dim_ecommerce_customer_segments') }}

),

customers_per_segment as (

    select
        age_band,
        tenure_days / 365 as tenure_years,
        count(*) as customer_count
    from segments
    group by age_band, tenure_days / 365

)

select * from customers_per_segment
