{% macro refresh_daily_step_total() %}
create or replace procedure dwh.refresh_daily_step_total(p_from date default null)
    language plpgsql
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC'
as $body$
declare
    v_today constant date := clock_timestamp()::date;
    v_from date := p_from;
    v_totals cursor (c_from date, c_to date) for
        select
            run_log.finished_at::date as ended_date,
            run_log.process,
            run_log.step,
            count(*) as execution_count,
            count(*) filter (where run_log.status in ('error', 'refused')) as failure_count,
            coalesce(sum(run_log.execution_seconds), 0) as total_seconds,
            max(run_log.execution_seconds) as longest_seconds,
            sum(run_log.rows_affected) as rows_affected
        from dwh.run_log
        where
            -- by an index; no step takes longer
            run_log.started_at >= c_from::timestamptz - interval '2 days'
            and run_log.finished_at >= c_from
            and run_log.finished_at < c_to
            and run_log.status <> 'skipped'
        group by run_log.finished_at::date, run_log.process, run_log.step
        order by run_log.finished_at::date, run_log.process, run_log.step;
    v_total record;
    v_error_code text;
    v_error_message text;
    v_context text;
begin
    if p_from is null then
        -- again those for which steps may have come late, or not have been added up
        select least(coalesce(max(daily_step_total.ended_date) + 1, '-infinity'), v_today - 3)
        into v_from
        from dwh.daily_step_total;
    end if;
    if v_from >= v_today then
        return;
    end if;

    open v_totals (v_from, v_today);
    loop
        fetch v_totals into v_total;
        exit when not found;

        begin
            insert into dwh.daily_step_total as known (
                ended_date, process, step, execution_count, failure_count, total_seconds,
                longest_seconds, rows_affected
            )
            values (
                v_total.ended_date,
                v_total.process,
                v_total.step,
                v_total.execution_count,
                v_total.failure_count,
                v_total.total_seconds,
                v_total.longest_seconds,
                v_total.rows_affected
            )
            on conflict (ended_date, process, step) do update set
                execution_count = excluded.execution_count,
                failure_count = excluded.failure_count,
                total_seconds = excluded.total_seconds,
                longest_seconds = excluded.longest_seconds,
                rows_affected = excluded.rows_affected,
                refreshed_at = excluded.refreshed_at
            -- otherwise steps of that day are no longer in the log
            where known.execution_count <= excluded.execution_count;
        exception
            when others then
                get stacked diagnostics
                    v_error_code = returned_sqlstate,
                    v_error_message = message_text,
                    v_context = pg_exception_context;

                call dwh.insert_procedure_error(
                    'dwh.refresh_daily_step_total',
                    format('%s %s %s', v_total.ended_date, v_total.process, v_total.step),
                    v_error_code,
                    v_error_message,
                    v_context
                );
        end;
    end loop;
    close v_totals;
end
$body$;

comment on procedure dwh.refresh_daily_step_total(date) is
    'Adds up the steps of the run log, for each day that is over: the last three, and those that'
    ' daily_step_total does not have yet; or those from p_from on. A sum of more steps than the log'
    ' still has stays. Errors are in procedure_errors; the others go on.';
{% endmacro %}
