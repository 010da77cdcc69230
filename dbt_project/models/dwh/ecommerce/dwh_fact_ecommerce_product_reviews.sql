-- Cursor: the change log of the reviews, and of the products, customers and suppliers they belong
-- to, by key, as far as those dimensions have been built. Overlap: none, a position in that log is
-- exact. A late review is read when it arrives; a late product, customer or supplier takes over its
-- reviews from the unknown member; a review that was deleted, or became invalid, leaves.
{{
    config(
        materialized = 'incremental',
        unique_key = 'review_id',
        indexes = [
            {'columns': ['product_id']},
            {'columns': ['customer_id']},
            {'columns': ['supplier_id']},
        ],
        meta = {
            'changes': [
                {'table': 'mrr_fact_ecommerce_product_reviews', 'key': ['review_id']},
                {'table': 'mrr_dim_ecommerce_products', 'key': ['product_id']},
                {'table': 'mrr_dim_ecommerce_customers', 'key': ['customer_id']},
                {'table': 'mrr_dim_ecommerce_suppliers', 'key': ['supplier_id']},
            ],
        },
    )
}}

with customers as (

    select * from {{ ref('dwh_dim_ecommerce_customers') }}

),

products as (

    select * from {{ ref('dwh_dim_ecommerce_products') }}

),

reviews as (

    select * from {{ ref('stg_fact_ecommerce_product_reviews') }}
    where {{ is_unread() }}

),

customer_periods as (

    {{ version_periods('customers', 'customer_key', 'customer_id', facts='reviews') }}

),

product_periods as (

    {{ version_periods('products', 'product_key', 'product_id', facts='reviews') }}

),

dated_reviews as (

    select
        *,
        (reviewed_at at time zone '{{ var("business_time_zone") }}')::date as reviewed_date
    from reviews

),

reviews_with_keys as (

    select
        dated_reviews.review_id::bigint as review_id,
        dated_reviews.product_id::bigint as product_id,
        dated_reviews.customer_id::bigint as customer_id,
        products.supplier_id,
        coalesce(product_periods.product_key, -1) as product_key,
        coalesce(customer_periods.customer_key, -1) as customer_key,
        dated_reviews.review_text,
        dated_reviews.rating,
        dated_reviews.reviewed_date,
        coalesce(to_char(dated_reviews.reviewed_date, 'YYYYMMDD')::integer, -1)
            as reviewed_date_key,
        dated_reviews.reviewed_at,
        dated_reviews.updated_at
    from dated_reviews
    left join customer_periods
        on
            dated_reviews.customer_id = customer_periods.customer_id
            and coalesce(dated_reviews.reviewed_at, '-infinity') >= customer_periods.period_start
            and coalesce(dated_reviews.reviewed_at, '-infinity') < customer_periods.period_end
    left join product_periods
        on
            dated_reviews.product_id = product_periods.product_id
            and coalesce(dated_reviews.reviewed_at, '-infinity') >= product_periods.period_start
            and coalesce(dated_reviews.reviewed_at, '-infinity') < product_periods.period_end
    left join products
        on product_periods.product_key = products.product_key

)

select * from reviews_with_keys
