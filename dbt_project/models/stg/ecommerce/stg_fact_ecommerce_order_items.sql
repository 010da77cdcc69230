select
    order_id,
    product_id,
    item_quantity,
    unit_price,
    discount_amount,
    item_amount
from {{ ref('stg_checked_ecommerce_order_items') }}
where rejection_reason is null
