{% macro describe_sessions() %}
create or replace function mrr_state.describe_sessions(p_pids integer[])
    returns text
    language sql
    stable
    set search_path = pg_catalog, pg_temp
    set timezone = 'UTC'
as $body$
    select coalesce(string_agg(described.session, '; ' order by described.session), 'it has ended')
    from (
        select distinct
            coalesce(
                'pid ' || pids.pid || ' (' || concat_ws(
                    ', ',
                    'user ' || sessions.usename,
                    'application ' || nullif(sessions.application_name, ''),
                    to_char(
                        sessions.xact_start,
                        '"in a transaction since "YYYY-MM-DD HH24:MI:SS"Z"'
                    ),
                    to_char(
                        sessions.query_start,
                        '"last statement at "YYYY-MM-DD HH24:MI:SS"Z"'
                    )
                ) || ')',
                'a prepared transaction'
            ) as session
        from unnest(p_pids) as pids (pid)
        left join pg_stat_activity as sessions
            on pids.pid = sessions.pid
        -- a session that began its transaction later waits behind this one
        where sessions.xact_start is null or sessions.xact_start < statement_timestamp()
    ) as described
$body$;

comment on function mrr_state.describe_sessions is
    'Describes sessions by user, application and the start of their transactions, without their'
    ' queries.';
{% endmacro %}
