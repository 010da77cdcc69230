-- Cursor: the change log of the customers, by key, as far as their history has been built. Overlap:
-- none, a position in that log is exact. A late or changed row brings all versions of its customer
-- anew; a deleted one closes the last version, and stays.
{{
    config(
        materialized = 'incremental',
        unique_key = 'customer_key',
        indexes = [{'columns': ['customer_id']}],
        meta = {'changes': [{'table': 'mrr_dim_customers', 'key': ['customer_id']}]},
    )
}}

with history as (

    select * from {{ ref('dwh_history_customers') }}
    where {{ is_unread() }}

),

versions as (

    select
        {{ surrogate_key('dbt_scd_id') }} as customer_key,
        customer_id,
        customer_name,
        coalesce(country, 'unknown country') as country,
        dbt_valid_to is null as is_current,
        dbt_valid_to is not null
        and row_number() over (partition by customer_id order by dbt_valid_from desc) = 1
            as is_deleted,
        dbt_valid_from as valid_from,
        dbt_valid_to as valid_to
    from history

),

unknown_member as (

    select
        -1 as customer_key,
        null::bigint as customer_id,
        'unknown customer' as customer_name,
        'unknown country' as country,
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
