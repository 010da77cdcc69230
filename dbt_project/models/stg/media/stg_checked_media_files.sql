select
    -- keys
    files.id as media_file_id,

    -- attributes
    nullif(regexp_replace(files.s3_path, '^\s+|\s+$', '', 'g'), '') as s3_path,
    nullif(lower(regexp_replace(files.format, '^\s+|\s+$', '', 'g')), '') as file_format,
    media_types.file_type,

    -- flags
    case
        when files.s3_path !~ '\S' then 'path is missing'
        when media_types.type is null then 'type is unknown'
    end as rejection_reason,

    -- timestamps
    files.updated_at
from {{ source('media', 'mrr_dim_media_files') }} as files
left join {{ ref('stg_seed_media_types') }} as media_types
    on files.type = media_types.type
