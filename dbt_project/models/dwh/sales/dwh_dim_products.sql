-- Cursor: the change log of the products, by key, as far as their history has been built. Overlap:
-- none, a position in that log is exact. A late or changed row brings all versions of its product
-- anew; a deleted one closes the last version, and stays.
{{
    config(
        materialized = 'incremental',
        unique_key = 'product_key',
        indexes = [{'columns': ['product_id']}],
        meta = {'changes': [{'table': 'mrr_dim_products', 'key': ['product_id']}]},
    )
}}

with history as (

    select * from {{ ref('dwh_history_products') }}
    where {{ is_unread() }}

),

versions as (

    select
        {{ surrogate_key('dbt_scd_id') }} as product_key,
        product_id,
        product_name,
        coalesce(product_group, 'unknown group') as product_group,
        dbt_valid_to is null as is_current,
        dbt_valid_to is not null
        and row_number() over (partition by product_id order by dbt_valid_from desc) = 1
            as is_deleted,
        dbt_valid_from as valid_from,
        dbt_valid_to as valid_to
    from history

),

unknown_member as (

    select
        -1 as product_key,
        null::bigint as product_id,
        'unknown product' as product_name,
        'unknown group' as product_group,
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
