with run_log as (

    select * from {{ source('control', 'run_log') }}

),

executions as (

    select
        process,
        step,
        run_id,
        started_at,
        rows_affected,
        coalesce(execution_seconds, extract(epoch from now() - started_at)) as seconds,
        row_number() over (partition by process, step order by log_id desc) as recency
    from run_log
    where
        status in ('running', 'success', 'warning')
        and started_at > now() - interval '30 days'

),

steps as (

    select
        process,
        step,
        count(*) as execution_count,
        max(run_id) filter (where recency = 1) as last_run_id,
        max(started_at) filter (where recency = 1) as last_started_at,
        (max(seconds) filter (where recency = 1))::numeric(14, 3) as last_seconds,
        (
            percentile_cont(0.5) within group (order by seconds) filter (where recency > 1)
        )::numeric(14, 3) as usual_seconds,
        max(rows_affected) filter (where recency = 1) as last_rows,
        (
            percentile_cont(0.5) within group (order by rows_affected) filter (where recency > 1)
        )::bigint as usual_rows,
        avg(seconds)::numeric(14, 3) as average_seconds,
        max(seconds)::numeric(14, 3) as longest_seconds
    from executions
    group by process, step

),

step_times as (

    select
        process,
        step,
        execution_count,
        last_run_id,
        last_started_at,
        last_seconds,
        usual_seconds,
        last_rows,
        usual_rows,
        average_seconds,
        longest_seconds,
        last_seconds - usual_seconds as extra_seconds,
        coalesce(
            execution_count > {{ var('usual_executions') }}
            and last_seconds >= usual_seconds * {{ var('slow_times') }}
            and last_seconds >= usual_seconds + {{ var('slow_seconds') }},
            false
        ) as is_slower
    from steps

)

select * from step_times
