-- Cursor: the change log of the users, by key, as far as their history has been built. Overlap:
-- none, a position in that log is exact. A late or changed row builds all versions of its user
-- again; a deleted one closes the last version, and stays.
{{
    config(
        materialized = 'incremental',
        unique_key = 'user_key',
        indexes = [{'columns': ['user_id']}],
        meta = {'changes': [{'table': 'mrr_dim_ewallet_users', 'key': ['user_id']}]},
    )
}}

with history as (

    select * from {{ ref('dwh_history_ewallet_users') }}
    where {{ is_unread() }}

),

versions as (

    select
        {{ surrogate_key('dbt_scd_id') }} as user_key,
        user_id,
        user_name,
        coalesce(city, 'unknown city') as city,
        dbt_valid_to is null as is_current,
        dbt_valid_to is not null
        and row_number() over (partition by user_id order by dbt_valid_from desc) = 1
            as is_deleted,
        dbt_valid_from as valid_from,
        dbt_valid_to as valid_to
    from history

),

unknown_member as (

    select
        -1 as user_key,
        null::bigint as user_id,
        'unknown user' as user_name,
        'unknown city' as city,
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
