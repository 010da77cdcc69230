select
    -- keys
    supplier_id,

    -- attributes
    nullif(regexp_replace(company_name, '^\s+|\s+$', '', 'g'), '') as supplier_name,
    nullif(regexp_replace(contact_name, '^\s+|\s+$', '', 'g'), '') as contact_name,
    nullif(regexp_replace(email, '^\s+|\s+$', '', 'g'), '') as email,
    phone as phone_number,
    country as country_code,

    -- measures
    lead_time::integer as lead_time_days,

    -- flags
    case
        when (company_name ~ '\S') is not true then 'name is missing'
        when (country ~ '^[A-Z]{2}$') is not true then 'country is not a code of ISO 3166-1'
        when (phone ~ '^[+][1-9][0-9]{6,14}$') is not true then 'phone number is not E.164'
        when (lead_time between 1 and 120) is not true then 'lead time is not 1 to 120 days'
    end as rejection_reason,

    -- timestamps
    updated_at
from {{ source('ecommerce', 'mrr_dim_ecommerce_suppliers') }}
