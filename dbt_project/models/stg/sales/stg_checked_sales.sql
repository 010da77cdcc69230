select
    -- keys
    id as sale_id,
    "customerId" as customer_id,
    "productId" as product_id,

    -- measures
    qty::bigint as sale_quantity,

    -- flags
    case
        when "customerId" is null then 'no customer is named'
        when "productId" is null then 'no product is named'
        when qty is null or qty <= 0 then 'quantity is not above zero'
    end as rejection_reason,

    -- timestamps
    created_at,
    updated_at
from {{ source('sales', 'mrr_fact_sales') }}
