select
    product_id,
    supplier_id,
    product_name,
    category,
    subcategory,
    price_eur,
    cost_eur,
    weight_kg,
    length_cm,
    width_cm,
    height_cm
from {{ ref('stg_checked_ecommerce_products') }}
where rejection_reason is null
