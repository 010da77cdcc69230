select
    -- keys
    merchant_id,

    -- attributes
    nullif(regexp_replace(name, '^\s+|\s+$', '', 'g'), '') as merchant_name,
    nullif(regexp_replace(category, '^\s+|\s+$', '', 'g'), '') as merchant_category,

    -- flags
    case
        when name is null or name !~ '\S' then 'name is missing'
    end as rejection_reason,

    -- timestamps
    created_at,
    updated_at
from {{ source('ewallet', 'mrr_dim_ewallet_merchants') }}
