select
    media_file_id,
    s3_path,
    file_format,
    file_type,
    updated_at
from {{ ref('stg_checked_media_files') }}
where rejection_reason is null
