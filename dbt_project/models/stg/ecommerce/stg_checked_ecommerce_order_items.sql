select
    -- keys
    order_id,
    product_id,

    -- measures
    quantity::bigint as item_quantity,
    unit_price::numeric(18, 2) as unit_price,
    discount_amount::numeric(18, 2) as discount_amount,
    total_price::numeric(18, 2) as item_amount,

    -- flags
    case
        when (quantity > 0) is not true then 'quantity is not above zero'
        when (unit_price > 0) is not true then 'price is not above zero'
        when (discount_amount between 0 and quantity * unit_price) is not true
            then 'discount is not between zero and the price'
        when (total_price = quantity * unit_price - discount_amount) is not true
            then 'total is not the price less the discount'
    end as rejection_reason
from {{ source('ecommerce', 'mrr_fact_ecommerce_order_items') }}
