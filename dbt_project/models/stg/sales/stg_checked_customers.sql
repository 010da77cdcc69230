select
    -- keys
    id as customer_id,

    -- attributes
    nullif(regexp_replace(name, '^\s+|\s+$', '', 'g'), '') as customer_name,
    nullif(regexp_replace(country, '^\s+|\s+$', '', 'g'), '') as country,

    -- flags
    case
        when name is null or name !~ '\S' then 'name is missing'
    end as rejection_reason,

    -- timestamps
    created_at,
    updated_at
from {{ source('sales', 'mrr_dim_customers') }}
