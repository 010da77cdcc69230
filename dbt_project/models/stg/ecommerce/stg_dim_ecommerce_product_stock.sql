select
    product_id,
    stock_quantity
from {{ ref('stg_checked_ecommerce_products') }}
where rejection_reason is null
