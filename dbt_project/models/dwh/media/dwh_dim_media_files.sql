-- Cursor: the change log of the media files. Overlap: none, a position in that log is exact. A
-- changed file is read when it arrives; one that was deleted, or became invalid, leaves.
{{
    config(
        materialized = 'incremental',
        unique_key = 'media_file_id',
        meta = {'changes': [{'table': 'mrr_dim_media_files', 'key': ['media_file_id']}]},
    )
}}

with files as (

    select * from {{ ref('stg_dim_media_files') }}
    where {{ is_unread() }}

),

published_files as (

    select
        media_file_id,
        s3_path,
        file_format,
        file_type,
        updated_at
    from files

)

select * from published_files
