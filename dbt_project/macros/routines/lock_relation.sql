{% macro lock_relation() %}
create or replace function mrr_state.lock_relation(
    p_relation regclass, p_mode text, p_model text default null
)
    returns void
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $body$
declare
    v_asked_at timestamptz := clock_timestamp();
    v_owner name;
    v_conflicts text[];
begin
    if p_mode = 'access exclusive' then
        -- ALTER, since LOCK TABLE of a view also locks what the view reads
        select pg_get_userbyid(relowner) into v_owner from pg_class where oid = p_relation;
        execute format('alter table %s owner to %I', p_relation, v_owner);
    else
        execute format('lock table %s in %s mode', p_relation, p_mode);
    end if;
exception
    when insufficient_privilege then
        -- the statement that uses the relation reports it, if it needs the privilege
        null;
    when lock_not_available then
        v_conflicts := case p_mode
            when 'access share' then '{AccessExclusiveLock}'
            when 'row exclusive'
                then '{ShareLock,ShareRowExclusiveLock,ExclusiveLock,AccessExclusiveLock}'
            when 'share update exclusive'
                then '{ShareUpdateExclusiveLock,ShareLock,ShareRowExclusiveLock,ExclusiveLock'
                    ',AccessExclusiveLock}'
        end;
        raise exception using
            errcode = 'lock_not_available',
            message = format(
                '%s is left as it was: %s is in use, and was not free within %s: %s',
                coalesce(p_model, p_relation::text),
                case when p_model <> p_relation::text then p_relation::text else 'it' end,
                current_setting('lock_timeout'),
                (
                    select mrr_state.describe_sessions(array_agg(locks.pid))
                    from pg_locks as locks
                    left join pg_stat_activity as sessions
                        on locks.pid = sessions.pid
                    where
                        locks.relation = p_relation
                        -- later transactions waited for this one; a start may not be visible
                        and coalesce(sessions.xact_start < v_asked_at, true)
                        and locks.database = (
                            select oid from pg_database where datname = current_database()
                        )
                        and locks.pid is distinct from pg_backend_pid()
                        and (v_conflicts is null or locks.mode = any(v_conflicts))
                )
            ),
            hint = 'Build again when that transaction has ended.';
end
$body$;

comment on function mrr_state.lock_relation is
    'Locks a table or view. After lock_timeout, raises an error that names the sessions that use'
    ' it.';
{% endmacro %}
