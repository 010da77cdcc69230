with step_times as (

    select * from {{ ref('dwh_operations_step_times') }}

),

ranked_nodes as (

    select
        row_number() over (order by average_seconds desc, step asc) as slowness_rank,
        step,
        execution_count as build_count,
        average_seconds,
        longest_seconds,
        last_started_at
    from step_times
    where process = 'dbt'

)

select * from ranked_nodes
