-- Cursor: the change log of the events, by their landings. Overlap: none, a position in that log is
-- exact. A late event changes nothing if its version is lower than the one that is stored. A delete
-- is stored as one, so that an older event which arrives after it does not bring the row back.
-- An event of an erased user becomes greater than it was, never less: so the greatest of those that
-- are read again and of the state that is stored is still the greatest of all.
{{
    config(
        materialized = 'incremental',
        unique_key = 'transaction_id',
        indexes = [{'columns': ['landing_id']}],
        meta = {
            'changes': [
                {'table': 'mrr_fact_ewallet_transaction_events', 'key': ['landing_id']},
            ],
        },
    )
}}

with events as (

    select * from {{ ref('stg_fact_ewallet_transaction_events') }}
    where {{ is_unread() }}

),

-- of events with one version, the content decides, in the same way whichever came first
last_versions as (

    select distinct on (transaction_id)
        transaction_id,
        user_id,
        merchant_id,
        transaction_status,
        transaction_amount,
        is_deleted,
        landing_id,
        event_number,
        version_at,
        transaction_time,
        updated_at
    from events
    order by
        transaction_id asc,
        version_at desc,
        is_deleted desc,
        transaction_status desc,
        transaction_amount desc,
        user_id = -1 desc,
        user_id desc,
        merchant_id desc,
        transaction_time desc,
        updated_at desc nulls last,
        landing_id asc,
        event_number asc

)
{%- if reads_increment() %},

stored_versions as (

    select * from {{ this }}
    where not {{ is_unread() }}

),

new_versions as (

    select last_versions.*
    from last_versions
    left join stored_versions
        on last_versions.transaction_id = stored_versions.transaction_id
    where
        stored_versions.transaction_id is null
        or (
            last_versions.version_at,
            last_versions.is_deleted,
            last_versions.transaction_status,
            last_versions.transaction_amount,
            last_versions.user_id = -1,
            last_versions.user_id,
            last_versions.merchant_id,
            last_versions.transaction_time,
            coalesce(last_versions.updated_at, '-infinity')
        ) > (
            stored_versions.version_at,
            stored_versions.is_deleted,
            stored_versions.transaction_status,
            stored_versions.transaction_amount,
            stored_versions.user_id = -1,
            stored_versions.user_id,
            stored_versions.merchant_id,
            stored_versions.transaction_time,
            coalesce(stored_versions.updated_at, '-infinity')
        )

)

select * from new_versions
{%- else %}

select * from last_versions
{%- endif %}
