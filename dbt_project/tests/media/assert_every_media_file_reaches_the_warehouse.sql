{%- set files = node_of('model.tidemark.dwh_dim_media_files') -%}
with mirrored as (

    select id as media_file_id
    from {{ source('media', 'mrr_dim_media_files') }}
    where {{ rows_to_test(files, ['id']) or 'true' }}

),

warehouse as (

    select media_file_id
    from {{ ref('dwh_dim_media_files') }}
    where {{ rows_to_test(files) or 'true' }}
    union all
    select media_file_id
    from {{ ref('stg_rejected_media_files') }}
    where {{ rows_to_test(files) or 'true' }}

),

differences as (

    select coalesce(mirrored.media_file_id, warehouse.media_file_id) as media_file_id
    from mirrored
    full join warehouse
        on mirrored.media_file_id = warehouse.media_file_id
    where mirrored.media_file_id is null or warehouse.media_file_id is null

)

select * from differences
where media_file_id not in (
    {{ unread_keys(files, 'mrr_dim_media_files') | indent(4) }}
)
