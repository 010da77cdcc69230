{#- The row of a command has its name in both columns, but for what `backup` does by itself. #}
{%- set is_command = "(process = step or process = 'backup' and step in ('verify', 'copy'))" %}
with run_log as (

    select * from {{ source('control', 'run_log') }}

),

mirror_verification as (

    select * from {{ source('control', 'mirror_verification') }}

),

comparisons as (

    select
        run_id,
        count(*) filter (where not is_equal) as different_count
    from mirror_verification
    group by run_id

),

steps as (

    select
        run_id,
        min(started_at) as started_at,
        max(finished_at) as finished_at,
        max(status) filter (where {{ is_command }}) as status,
        count(*) filter (where not ({{ is_command }})) as step_count,
        count(*) filter (where status = 'warning' and not ({{ is_command }})) as warning_count,
        count(*) filter (where status = 'error' and not ({{ is_command }})) as error_count,
        count(*) filter (where status = 'skipped') as skipped_count,
        (sum(rows_affected) filter (where process = 'extract'))::bigint as extracted_rows,
        coalesce(
            max(process) filter (where {{ is_command }}),
            max(process) filter (where process <> 'dbt'),
            'dbt'
        ) as kind,
        max(execution_seconds) filter (where {{ is_command }}) as execution_seconds,
        count(*) filter (where status = 'refused' and not ({{ is_command }})) as refused_count,
        max(error_message) filter (where {{ is_command }}) as error_message,
        max(scope) filter (where {{ is_command }}) as scope
    from run_log
    group by run_id

),

runs as (

    select
        steps.run_id,
        steps.started_at,
        steps.finished_at,
        case
            when steps.status = 'running' and not {{ is_at_work('steps.run_id') }} then 'killed'
            else steps.status
        end as status,
        steps.step_count,
        steps.warning_count,
        steps.error_count,
        steps.skipped_count,
        steps.extracted_rows,
        steps.kind,
        steps.execution_seconds,
        steps.refused_count,
        coalesce(comparisons.different_count, 0) as different_count,
        steps.error_message,
        steps.scope
    from steps
    left join comparisons
        on steps.run_id = comparisons.run_id

)

select * from runs
