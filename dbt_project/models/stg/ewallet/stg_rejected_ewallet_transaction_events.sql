select
    landing_id,
    event_number,
    event_text,
    event_bytes,
    file_name,
    line_number,
    topic,
    topic_partition,
    topic_offset,
    rejection_reason
from {{ ref('stg_checked_ewallet_transaction_events') }}
where rejection_reason is not null
