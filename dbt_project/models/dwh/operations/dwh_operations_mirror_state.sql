with high_water_mark as (

    select * from {{ source('control', 'high_water_mark') }}

),

mirror_verification as (

    select * from {{ source('control', 'mirror_verification') }}

),

last_verification as (

    select distinct on (table_name)
        table_name,
        checked_to,
        source_rows,
        mirror_rows,
        repaired_rows,
        is_equal
    from mirror_verification
    order by table_name asc, run_id desc

),

mirror_state as (

    select
        high_water_mark.table_name,
        high_water_mark.high_water_mark,
        high_water_mark.read_at,
        extract(epoch from now() - high_water_mark.read_at)::bigint as lag_seconds,
        last_verification.checked_to as verified_at,
        last_verification.source_rows,
        last_verification.mirror_rows,
        last_verification.repaired_rows,
        last_verification.is_equal,
        high_water_mark.read_at
        < now() - make_interval(hours => {{ var('stale_after_hours') }}) as is_stale
    from high_water_mark
    left join last_verification
        on high_water_mark.table_name = last_verification.table_name
    where high_water_mark.is_mirrored

)

select * from mirror_state
