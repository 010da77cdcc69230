select
    -- keys
    review_id,
    product_id,
    customer_id,

    -- attributes
    nullif(regexp_replace(review_text, '^\s+|\s+$', '', 'g'), '') as review_text,

    -- measures
    rating::integer as rating,

    -- flags
    case
        when product_id is null then 'no product is named'
        when customer_id is null then 'no customer is named'
        when (rating between 1 and 5) is not true then 'rating is not 1 to 5'
    end as rejection_reason,

    -- timestamps
    review_date at time zone 'UTC' as reviewed_at,
    updated_at
from {{ source('ecommerce', 'mrr_fact_ecommerce_product_reviews') }}
