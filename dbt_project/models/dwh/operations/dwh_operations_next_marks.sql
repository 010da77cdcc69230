with high_water_mark as (

    select * from {{ source('control', 'high_water_mark') }}

),

run_log as (

    select * from {{ source('control', 'run_log') }}

),

runs as (

    select
        run_id,
        scope,
        started_at,
        execution_seconds
    from run_log
    where process = 'run' and step = 'run'

),

extractions as (

    select
        run_log.step as table_name,
        runs.scope,
        runs.execution_seconds,
        extract(
            epoch from (
                runs.started_at
                - lag(runs.started_at) over (
                    partition by run_log.step, runs.scope
                    order by runs.started_at
                )
            )
        ) as interval_seconds
    from runs
    inner join run_log
        on
            runs.run_id = run_log.run_id
            and run_log.process = 'extract'
            and run_log.status in ('success', 'warning')
    where
        runs.started_at > now() - interval '30 days'
        -- another run builds what these read, and has a pace of its own
        and coalesce(runs.scope, '') not like '%--until %'

),

paces as (

    select
        table_name,
        (
            percentile_cont(0.5) within group (order by interval_seconds)
        )::numeric(14, 3) as usual_interval_seconds,
        (
            percentile_cont(0.5) within group (order by execution_seconds)
        )::numeric(14, 3) as usual_run_seconds,
        -- of whole runs and those of a domain or a table, what is more usual comes first
        row_number() over (partition by table_name order by count(*) desc, scope asc) as usage_rank
    from extractions
    group by table_name, scope
    having count(interval_seconds) >= {{ var('usual_intervals') }}

),

-- of a run that only builds, the pace of those that read says nothing
last_runs as (

    select
        high_water_mark.table_name,
        runs.started_at,
        exists(
            select 1
            from run_log
            where
                run_log.run_id = runs.run_id
                and run_log.process = 'extract'
                and run_log.step = high_water_mark.table_name
        ) as has_read
    from high_water_mark
    inner join runs
        on high_water_mark.run_id = runs.run_id

),

next_marks as (

    select
        high_water_mark.table_name,
        high_water_mark.read_at,
        high_water_mark.updated_at as advanced_at,
        last_runs.started_at as last_run_at,
        paces.usual_interval_seconds,
        paces.usual_run_seconds,
        last_runs.started_at
        + make_interval(
            secs => (paces.usual_interval_seconds + paces.usual_run_seconds)::double precision
        ) as expected_at,
        (
            extract(epoch from (last_runs.started_at - now()))
            + paces.usual_interval_seconds + paces.usual_run_seconds
        )::bigint as seconds_left
    from high_water_mark
    left join last_runs
        on high_water_mark.table_name = last_runs.table_name
    left join paces
        on
            high_water_mark.table_name = paces.table_name
            and paces.usage_rank = 1
            and last_runs.has_read
    where high_water_mark.is_mirrored

)

select * from next_marks
