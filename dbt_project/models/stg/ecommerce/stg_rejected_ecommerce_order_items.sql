select
    order_id,
    product_id,
    item_quantity,
    unit_price,
    discount_amount,
    item_amount,
    rejection_reason
from {{ ref('stg_checked_ecommerce_order_items') }}
where rejection_reason is not null
