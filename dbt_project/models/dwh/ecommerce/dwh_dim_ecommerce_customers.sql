-- Cursor: the change log of the customers, by key, as far as their history has been built. Overlap:
-- none, a position in that log is exact. A late or changed row brings all versions of its customer
-- anew; a deleted one closes the last version, and stays.
{{
    config(
        materialized = 'incremental',
        unique_key = 'customer_key',
        indexes = [{'columns': ['customer_id']}],
        meta = {'changes': [{'table': 'mrr_dim_ecommerce_customers', 'key': ['customer_id']}]},
    )
}}

with history as (

    select * from {{ ref('dwh_history_ecommerce_customers') }}
    where {{ is_unread() }}

),

logins as (

    select * from {{ ref('stg_dim_ecommerce_customer_logins') }}

),

versions as (

    select
        {{ surrogate_key('history.dbt_scd_id') }} as customer_key,
        history.customer_id,
        history.first_name,
        history.last_name,
        history.age,
        {{ age_band('history.age') }} as age_band,
        history.email,
        history.phone_number,
        history.country_code,
        coalesce(history.city, 'unknown city') as city,
        history.postal_code,
        history.registered_at,
        logins.last_login_at,
        history.dbt_valid_to is null as is_current,
        history.dbt_valid_to is not null
        and row_number() over (
            partition by history.customer_id order by history.dbt_valid_from desc
        ) = 1 as is_deleted,
        history.dbt_valid_from as valid_from,
        history.dbt_valid_to as valid_to
    from history
    left join logins
        on history.customer_id = logins.customer_id

),

unknown_member as (

    select
        -1 as customer_key,
        null::bigint as customer_id,
        'unknown' as first_name,
        'customer' as last_name,
        null::integer as age,
        'unknown age' as age_band,
        null::text as email,
        null::text as phone_number,
        'unknown country' as country_code,
        'unknown city' as city,
        null::text as postal_code,
        null::timestamptz as registered_at,
        null::timestamptz as last_login_at,
        true as is_current,
        false as is_deleted,
        null::timestamptz as valid_from,
        null::timestamptz as valid_to

),

members as (

    select * from unknown_member
    union all
    select * from versions

)

select * from members
