select
    supplier_id,
    supplier_name,
    contact_name,
    email,
    phone_number,
    country_code,
    lead_time_days,
    rejection_reason,
    updated_at
from {{ ref('stg_checked_ecommerce_suppliers') }}
where rejection_reason is not null
