select
    -- keys
    events.landing_id,
    events.event_number,
    row_fields.transaction_id,
    case when is_valid.user_id then row_fields.user_id::bigint end as user_id,
    case when is_valid.merchant_id then row_fields.merchant_id::bigint end as merchant_id,

    -- attributes
    envelope.operation,
    row_fields.status as transaction_status,
    events.event_text,
    events.event_bytes,
    events.file_name,
    events.line_number,
    events.topic,
    events.topic_partition,
    events.topic_offset,

    -- measures
    case when is_valid.amount then row_fields.amount::numeric(10, 2) end as transaction_amount,

    -- flags
    case
        when octet_length(events.event_bytes) > {{ var('event_bytes') }}
            then 'event is longer than {{ var("event_bytes") }} bytes'
        when events.event_bytes is not null then 'event is not UTF-8, or has a NUL'
        when parsed.body is null then 'event is not JSON'
        when jsonb_typeof(parsed.body) <> 'object' then 'event is not a JSON object'
        when parsed.body - array['operation', 'version', 'row'] <> '{}'
            then 'event has an unknown field'
        when
            envelope.operation is null
            or envelope.operation not in ('insert', 'update', 'delete')
            then 'operation is unknown'
        when is_valid.version is not true then 'version is not a time with a time zone'
        when coalesce(jsonb_typeof(envelope.row_after), 'null') <> 'object'
            then 'row is not a JSON object'
        when
            envelope.row_after - array[
                'transaction_id', 'user_id', 'merchant_id', 'amount', 'status', 'transaction_time',
                'updated_at'
            ] <> '{}'
            then 'row has an unknown field'
        when
            coalesce(jsonb_typeof(envelope.row_after -> 'transaction_id'), 'null') <> 'string'
            or length(row_fields.transaction_id) not between 1 and 20
            then 'transaction id is not a text of 1 to 20 characters'
        when envelope.operation = 'delete' then null
        when row_fields.user_id is null then 'no user is named'
        when not is_valid.user_id then 'user is not a whole number'
        when row_fields.merchant_id is null then 'no merchant is named'
        when not is_valid.merchant_id then 'merchant is not a whole number'
        when
            row_fields.status is null
            or row_fields.status not in ('SUCCESS', 'FAILED', 'PENDING')
            then 'status is unknown'
        when row_fields.amount is null then 'amount is missing'
        when not is_valid.amount
            then 'amount is not a number with two decimals and at most eight digits before them'
        when row_fields.amount like '-%' and row_fields.amount::numeric < 0
            then 'amount is negative'
        when row_fields.transaction_time is null then 'time is missing'
        when not is_valid.transaction_time then 'time is not a time with a time zone'
        when not is_valid.updated_at then 'time of the update is not a time with a time zone'
    end as rejection_reason,

    -- timestamps
    case when is_valid.version then envelope.version::timestamptz end as version_at,
    case
        when is_valid.transaction_time then row_fields.transaction_time::timestamptz
    end as transaction_time,
    case when is_valid.updated_at then row_fields.updated_at::timestamptz end as updated_at
from {{ source('ewallet', 'mrr_fact_ewallet_transaction_events') }} as events
{{ join_once('parsed', {'body': 'stg.json_or_null(events.event_text)'}) }}
{{ join_once('envelope', {
    'operation': "parsed.body ->> 'operation'",
    'version': "parsed.body ->> 'version'",
    'row_after': "parsed.body -> 'row'",
}) }}
cross join
    lateral jsonb_to_record(
        case when jsonb_typeof(envelope.row_after) = 'object' then envelope.row_after end
    )
        as row_fields (
            transaction_id text,
            user_id text,
            merchant_id text,
            amount text,
            status text,
            transaction_time text,
            updated_at text
        )
{{ join_once('is_valid', {
    'version': 'stg.is_instant(envelope.version)',
    'user_id': is_small_number('row_fields.user_id'),
    'merchant_id': is_small_number('row_fields.merchant_id'),
    'amount': is_amount('row_fields.amount'),
    'transaction_time': 'stg.is_instant(row_fields.transaction_time)',
    'updated_at': 'stg.is_instant(row_fields.updated_at)',
}) }}
