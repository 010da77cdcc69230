with run_log as (

    select * from {{ source('control', 'run_log') }}

),

failures as (

    select
        run_id,
        row_number() over (partition by run_id order by finished_at asc, log_id asc)
            as failure_number,
        process,
        step,
        status,
        finished_at as failed_at,
        error_message
    from run_log
    where status in ('error', 'refused')

)

select * from failures
