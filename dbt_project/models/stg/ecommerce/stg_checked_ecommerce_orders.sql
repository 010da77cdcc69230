select
    -- keys
    orders.order_id,
    orders.customer_id,

    -- attributes
    orders.status as order_status,
    statuses.order_outcome,
    nullif(regexp_replace(orders.shipping_address, '^\s+|\s+$', '', 'g'), '') as shipping_address,
    nullif(orders.payment_method, '') as payment_method,
    orders.currency,

    -- measures
    orders.total_amount::numeric(18, 2) as order_amount,

    -- flags
    case
        when orders.customer_id is null then 'no customer is named'
        when orders.order_date is null then 'time is missing'
        when statuses.order_status is null then 'status is unknown'
        when (orders.currency ~ '^[A-Z]{3}$') is not true then 'currency is not a code of ISO 4217'
        when (orders.total_amount >= 0) is not true then 'amount is below zero'
    end as rejection_reason,

    -- timestamps
    orders.order_date at time zone 'UTC' as ordered_at,
    orders.updated_at
from {{ source('ecommerce', 'mrr_fact_ecommerce_orders') }} as orders
left join {{ ref('stg_seed_ecommerce_order_statuses') }} as statuses
    on orders.status = statuses.order_status
