with run_log as (

    select * from {{ source('control', 'run_log') }}

),

runs as (

    select
        run_id,
        min(started_at) as started_at,
        max(finished_at) as finished_at,
        max(status) filter (where process = 'run') as status,
        count(*) filter (where process <> 'run') as step_count,
        count(*) filter (where status = 'warning') as warning_count,
        count(*) filter (where status = 'error') as error_count,
        count(*) filter (where status = 'skipped') as skipped_count,
        (sum(rows_affected) filter (where process = 'extract'))::bigint as extracted_rows
    from run_log
    group by run_id

)

select * from runs
