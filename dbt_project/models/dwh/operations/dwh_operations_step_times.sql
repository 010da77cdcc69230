with run_log as (

    select * from {{ source('control', 'run_log') }}

),

finished as (

    select
        process,
        step,
        coalesce(scope, '') as scope,
        log_id,
        run_id,
        started_at,
        rows_affected,
        execution_seconds as seconds
    from run_log
    where
        status in ('success', 'warning')
        and started_at > now() - interval '30 days'

),

usual as (

    select
        process,
        step,
        scope,
        percentile_cont(0.5) within group (order by seconds) as seconds
    from finished
    group by process, step, scope

),

at_work as (

    select
        process,
        step,
        coalesce(scope, '') as scope,
        log_id,
        run_id,
        started_at,
        rows_affected,
        extract(epoch from now() - started_at) as seconds
    from run_log
    where
        status = 'running'
        and started_at > now() - interval '30 days'
        and {{ is_at_work('run_log.run_id') }}

),

-- what has just begun says nothing yet, and would hide the execution before it
slow_at_work as (

    select at_work.*
    from at_work
    left join usual
        on
            at_work.process = usual.process
            and at_work.step = usual.step
            and at_work.scope = usual.scope
    where at_work.seconds >= coalesce(usual.seconds, 0)

),

executions as (

    select
        *,
        row_number() over (
            partition by process, step, scope
            order by started_at desc, log_id desc
        ) as recency
    from (
        select * from finished
        union all
        select * from slow_at_work
    ) as both_kinds

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
        max(seconds)::numeric(14, 3) as longest_seconds,
        scope
    from executions
    group by process, step, scope

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
        ) as is_slower,
        scope
    from steps

)

select * from step_times
