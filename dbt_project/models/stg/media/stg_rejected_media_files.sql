select
    media_file_id,
    s3_path,
    file_format,
    file_type,
    rejection_reason,
    updated_at
from {{ ref('stg_checked_media_files') }}
where rejection_reason is not null
