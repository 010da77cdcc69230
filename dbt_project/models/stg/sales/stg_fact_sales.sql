select
    sale_id,
    customer_id,
    product_id,
    sale_quantity,
    created_at,
    updated_at
from {{ ref('stg_checked_sales') }}
where rejection_reason is null
