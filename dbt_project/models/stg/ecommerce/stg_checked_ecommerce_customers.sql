select
    -- keys
    customer_id,

    -- attributes
    nullif(regexp_replace(first_name, '^\s+|\s+$', '', 'g'), '') as first_name,
    nullif(regexp_replace(last_name, '^\s+|\s+$', '', 'g'), '') as last_name,
    age::integer as age,
    nullif(regexp_replace(email, '^\s+|\s+$', '', 'g'), '') as email,
    country as country_code,
    nullif(regexp_replace(city, '^\s+|\s+$', '', 'g'), '') as city,
    nullif(regexp_replace(postal_code, '^\s+|\s+$', '', 'g'), '') as postal_code,
    phone_number,

    -- flags
    case
        when (first_name ~ '\S' and last_name ~ '\S') is not true then 'name is missing'
        when (age between 18 and 120) is not true then 'age is not 18 to 120'
        when (email ~ '^[^@ ]+@[^@ ]+[.][^@ ]+$') is not true then 'email is not an address'
        when (country ~ '^[A-Z]{2}$') is not true then 'country is not a code of ISO 3166-1'
        when phone_number !~ '^[+][1-9][0-9]{6,14}$' then 'phone number is not E.164'
        when last_login_date < registration_date then 'last login is before registration'
    end as rejection_reason,

    -- timestamps
    registration_date at time zone 'UTC' as registered_at,
    last_login_date at time zone 'UTC' as last_login_at,
    updated_at
from {{ source('ecommerce', 'mrr_dim_ecommerce_customers') }}
