select
    product_id,
    product_name,
    product_group,
    rejection_reason,
    created_at,
    updated_at
from {{ ref('stg_checked_products') }}
where rejection_reason is not null
