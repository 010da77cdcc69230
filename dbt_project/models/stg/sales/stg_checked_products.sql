select
    -- keys
    id as product_id,

    -- attributes
    nullif(regexp_replace(name, '^\s+|\s+$', '', 'g'), '') as product_name,
    nullif(regexp_replace(groupname, '^\s+|\s+$', '', 'g'), '') as product_group,

    -- flags
    case
        when name is null or name !~ '\S' then 'name is missing'
    end as rejection_reason,

    -- timestamps
    created_at,
    updated_at
from {{ source('sales', 'mrr_dim_products') }}
