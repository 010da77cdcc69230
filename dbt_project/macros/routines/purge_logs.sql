{% macro purge_logs() %}
create or replace procedure dwh.purge_logs(
    p_steps_kept interval default '90 days',
    p_runs_kept interval default '2 years',
    p_most_rows bigint default null,
    inout p_result jsonb default '{}'
)
    language plpgsql
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC'
as $body$
declare
    v_logs cursor for
        select
            logs.table_name,
            logs.condition
        from (
            values
            (
                'dwh.run_log',
                -- the last one of each kind is what alerts tell of
                'old.started_at < $2 or old.started_at < $1 and old.process <> old.step and exists (
                    select from dwh.run_log as later
                    where
                        (later.process, later.step, later.status)
                        = (old.process, old.step, old.status)
                        and (later.started_at, later.log_id) > (old.started_at, old.log_id)
                )'
            ),
            -- a run''s id begins with the time by our clock; the delete guard needs a day by the
            -- source''s, and the last comparison of a table is kept
            (
                'dwh.mirror_verification',
                'old.run_id < to_char($1, ''YYYYMMDD"T"HH24MISS'') and old.checked_to < (
                    select max(known.checked_to)
                    from dwh.mirror_verification as known
                    where known.table_name = old.table_name
                ) - interval ''2 days'' and exists (
                    select from dwh.mirror_verification as later
                    where
                        (later.table_name, later.is_equal) = (old.table_name, old.is_equal)
                        and later.run_id > old.run_id
                )'
            ),
            (
                'dwh.publication_verification',
                'old.run_id < to_char($1, ''YYYYMMDD"T"HH24MISS'') and exists (
                    select from dwh.publication_verification as later
                    where
                        (later.table_name, later.partition_name, later.is_equal)
                        = (old.table_name, old.partition_name, old.is_equal)
                        and later.run_id > old.run_id
                )'
            ),
            ('dwh.procedure_errors', 'old.occurred_at < $1'),
            -- of others somebody has yet to be told
            ('dwh.alert_incident', 'old.ended_at < $1 and old.end_told_at is not null'),
            ('dwh.daily_step_total', 'old.ended_date < $2')
        ) as logs (table_name, condition);
    v_log record;
    v_steps_since constant timestamptz := clock_timestamp() - p_steps_kept;
    v_runs_since constant timestamptz := clock_timestamp() - greatest(p_runs_kept, p_steps_kept);
    v_count bigint;
    v_error_code text;
    v_error_message text;
    v_context text;
begin
    if p_steps_kept is null or p_runs_kept is null or p_steps_kept < interval '2 days' then
        raise exception using
            errcode = 'invalid_parameter_value',
            message = format('dwh.purge_logs: steps cannot be kept for %L', p_steps_kept),
            hint = 'Keep them for 2 days or longer.';
    end if;

    p_result := '{}';
    call dwh.refresh_daily_step_total(null::date);
    open v_logs;
    loop
        fetch v_logs into v_log;
        exit when not found;

        begin
            execute format(
                'delete from %1$s where ctid = any(array(
                    select old.ctid from %1$s as old where %2$s limit $3
                ))',
                v_log.table_name, v_log.condition
            )
            using v_steps_since, v_runs_since, p_most_rows;
            get diagnostics v_count = row_count;
            p_result := p_result || jsonb_build_object(v_log.table_name, v_count);
        exception
            when others then
                get stacked diagnostics
                    v_error_code = returned_sqlstate,
                    v_error_message = message_text,
                    v_context = pg_exception_context;

                p_result := p_result || jsonb_build_object(v_log.table_name, v_error_message);
                call dwh.insert_procedure_error(
                    'dwh.purge_logs', v_log.table_name, v_error_code, v_error_message, v_context
                );
        end;
    end loop;
    close v_logs;
end
$body$;

comment on procedure dwh.purge_logs(interval, interval, bigint, jsonb) is
    'Adds up the days that are over, and deletes what is older than its age from the logs, at most'
    ' p_most_rows of each. p_result has the number of rows for each log, or its error, which is also'
    ' in procedure_errors.';
{% endmacro %}
