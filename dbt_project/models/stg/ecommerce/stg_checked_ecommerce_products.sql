select
    -- keys
    product_id,
    supplier_id,

    -- attributes
    nullif(regexp_replace(name, '^\s+|\s+$', '', 'g'), '') as product_name,
    nullif(regexp_replace(category, '^\s+|\s+$', '', 'g'), '') as category,
    nullif(regexp_replace(subcategory, '^\s+|\s+$', '', 'g'), '') as subcategory,

    -- measures
    price::numeric(18, 2) as price_eur,
    cost::numeric(18, 2) as cost_eur,
    weight::numeric(18, 3) as weight_kg,
    substring(dimensions from '^([0-9]{1,4})x[0-9]{1,4}x[0-9]{1,4}$')::integer as length_cm,
    substring(dimensions from '^[0-9]{1,4}x([0-9]{1,4})x[0-9]{1,4}$')::integer as width_cm,
    substring(dimensions from '^[0-9]{1,4}x[0-9]{1,4}x([0-9]{1,4})$')::integer as height_cm,
    stock_quantity::bigint as stock_quantity,

    -- flags
    case
        when (name ~ '\S') is not true then 'name is missing'
        when (cost > 0) is not true then 'cost is not above zero'
        when (price > cost) is not true then 'price is not above cost'
        when (stock_quantity >= 0) is not true then 'stock is below zero'
        when (weight > 0) is not true then 'weight is not above zero'
        when (dimensions ~ '^[1-9][0-9]{0,3}(x[1-9][0-9]{0,3}){2}$') is not true
            then 'dimensions are not three lengths'
    end as rejection_reason,

    -- timestamps
    updated_at
from {{ source('ecommerce', 'mrr_dim_ecommerce_products') }}
