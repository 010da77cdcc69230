with run_log as (

    select * from {{ source('control', 'run_log') }}

),

nodes as (

    select
        step,
        count(*) as build_count,
        avg(execution_seconds)::numeric(14, 3) as average_seconds,
        max(execution_seconds) as longest_seconds,
        max(started_at) as last_started_at
    from run_log
    where
        process = 'dbt'
        and status in ('success', 'warning')
        and started_at > now() - interval '30 days'
    group by step

),

ranked_nodes as (

    select
        row_number() over (order by average_seconds desc, step asc) as slowness_rank,
        step,
        build_count,
        average_seconds,
        longest_seconds,
        last_started_at
    from nodes

)

select * from ranked_nodes
