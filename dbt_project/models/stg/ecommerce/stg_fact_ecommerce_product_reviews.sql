select
    review_id,
    product_id,
    customer_id,
    review_text,
    rating,
    reviewed_at,
    updated_at
from {{ ref('stg_checked_ecommerce_product_reviews') }}
where rejection_reason is null
