{#- The tag of the dollar quotes is new in each invocation, so that no message can end them. -#}
{% macro insert_log_entries(entries, run_id) %}
    {%- set tag = invocation_id | replace('-', '') -%}
    do $do_{{ tag }}$
    begin
        insert into dwh.run_log (
            run_id, process, step, status, started_at, finished_at,
            execution_seconds, rows_affected, error_message
        )
        select
            logged.run_id,
            'dbt',
            entries.step,
            entries.status,
            coalesce(entries.started_at, clock_timestamp()),
            coalesce(entries.started_at, clock_timestamp())
                + make_interval(secs => entries.execution_seconds),
            entries.execution_seconds,
            entries.rows_affected,
            entries.error_message
        from jsonb_to_record(
            $json_{{ tag }}${{ tojson({'run_id': run_id, 'entries': entries}) }}$json_{{ tag }}$
        ) as logged (run_id text, entries jsonb)
        cross join lateral jsonb_to_recordset(logged.entries) as entries (
            step text,
            status text,
            started_at timestamptz,
            execution_seconds double precision,
            rows_affected bigint,
            error_message text
        );
    exception
        when others then
            raise warning 'dwh.run_log: the nodes of this run are not logged: %', sqlerrm;
    end
    $do_{{ tag }}$
{% endmacro %}
