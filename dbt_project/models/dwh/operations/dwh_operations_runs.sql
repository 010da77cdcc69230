{%- set is_command = "process in ('run', 'verify', 'backup', 'restore')" %}
with run_log as (

    select * from {{ source('control', 'run_log') }}

),

runs as (

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
        coalesce(max(process) filter (where {{ is_command }}), 'dbt') as kind
    from run_log
    group by run_id

)

select * from runs
