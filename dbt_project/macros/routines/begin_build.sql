{% macro begin_build() %}
create or replace function mrr_state.begin_build(p_model text, p_read text[])
    returns void
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $body$
declare
    v_key bigint := hashtextextended(p_model, 0);
    v_target regclass := to_regclass(p_model);
    v_name text := coalesce(v_target::text, p_model);
    v_wait text := current_setting('lock_timeout');
    v_relation regclass;
begin
    if current_setting('tidemark.connections', true) is distinct from '1' then
        raise exception using
            message = format('%s: a pooler shares server sessions, or does not reset them', v_name),
            hint = 'Set its pool_mode to session, with a server_reset_query, or connect directly.';
    end if;

    begin
        perform set_config('lock_timeout', current_setting('tidemark.build_wait'), true);
        perform pg_advisory_xact_lock(v_key);
        perform set_config('lock_timeout', v_wait, true);
    exception
        when lock_not_available then
            raise exception using
                errcode = 'lock_not_available',
                message = format(
                    '%s is left as it was: another build of it has not ended within %s: %s',
                    v_name,
                    current_setting('tidemark.build_wait'),
                    (
                        select mrr_state.describe_sessions(array_agg(locks.pid))
                        from pg_locks as locks
                        where
                            locks.locktype = 'advisory'
                            and locks.granted
                            and locks.classid::bigint = (v_key >> 32) & x'ffffffff'::bigint
                            and locks.objid::bigint = v_key & x'ffffffff'::bigint
                            and locks.objsubid = 1
                    )
                ),
                hint = 'Build again when that session has ended.';
    end;

    -- lock what is read and written here, so that a session that blocks the build is named
    if (select relkind in ('r', 'p') from pg_class where oid = v_target) then
        perform mrr_state.lock_relation(v_target, 'row exclusive', v_name);
    end if;
    -- locking a view also locks all that it reads, without telling for which relation it waits
    for v_relation in
        with recursive read as (
            select to_regclass(names.relation_name)::oid as relation
            from unnest(p_read) as names (relation_name)
            union
            select pg_depend.refobjid
            from read
            inner join pg_rewrite
                on read.relation = pg_rewrite.ev_class
            inner join pg_depend
                on
                    pg_rewrite.oid = pg_depend.objid
                    and pg_depend.classid = 'pg_rewrite'::regclass
                    and pg_depend.refclassid = 'pg_class'::regclass
        )

        select relations.oid
        from read
        inner join pg_class as relations
            on read.relation = relations.oid
        where relations.relkind in ('r', 'p', 'v')
        -- tables before views
        order by relations.relkind
    loop
        perform mrr_state.lock_relation(v_relation, 'access share', v_name);
    end loop;
end
$body$;

comment on function mrr_state.begin_build is
    'Prevents two builds of a model at once, and locks what it reads and writes. Each lock has a'
    ' time limit.';
{% endmacro %}
