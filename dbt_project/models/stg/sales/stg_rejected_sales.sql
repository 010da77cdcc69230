select
    sale_id,
    customer_id,
    product_id,
    sale_quantity,
    rejection_reason,
    created_at,
    updated_at
from {{ ref('stg_checked_sales') }}
where rejection_reason is not null
