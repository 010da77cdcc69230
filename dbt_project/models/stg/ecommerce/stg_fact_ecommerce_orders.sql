select
    order_id,
    customer_id,
    order_status,
    order_outcome,
    shipping_address,
    payment_method,
    currency,
    order_amount,
    ordered_at,
    updated_at
from {{ ref('stg_checked_ecommerce_orders') }}
where rejection_reason is null
