{% macro start_reading() %}
create or replace function mrr_state.start_reading(p_model_name text, p_upstream text[])
    returns void
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $body$
declare
    v_reading_to bigint;
begin
    -- a change gets its id before it is committed, so wait for writers: then none of them can
    -- commit a change below the last one. Leaving the block by an error releases the lock.
    begin
        perform set_config('lock_timeout', current_setting('tidemark.build_wait'), true);
        perform mrr_state.lock_changes();
        select coalesce(max(change_log.change_id), 0)
        into v_reading_to
        from mrr_state.change_log;
        raise exception using errcode = 'TM001';
    exception
        when sqlstate 'TM001' then null;
        when lock_not_available then
            raise exception using
                errcode = 'lock_not_available',
                message = format(
                    '%s is left as it was: changes to the mirror were not committed within %s: %s',
                    p_model_name,
                    current_setting('tidemark.build_wait'),
                    (
                        select mrr_state.describe_sessions(array_agg(locks.pid))
                        from pg_locks as locks
                        where
                            locks.relation = 'mrr_state.change_log'::regclass
                            and locks.pid is distinct from pg_backend_pid()
                            and locks.mode not in (
                                'AccessShareLock', 'RowShareLock', 'ShareLock'
                            )
                    )
                ),
                hint = 'Build again when that transaction has ended.';
    end;

    -- changes that the upstream models have not built do not count as built: they are read again
    select least(v_reading_to, min(coalesce(model_position.built_to, 0)))
    into v_reading_to
    from unnest(p_upstream) as upstream (model_name)
    left join mrr_state.model_position using (model_name);

    insert into mrr_state.model_position as known (model_name, built_to, reading_to)
    values (p_model_name, -1, v_reading_to)
    on conflict (model_name) do update set
        reading_to = excluded.reading_to,
        updated_at = clock_timestamp();
end
$body$;

comment on function mrr_state.start_reading is
    'Sets the position that a model has once it is built: the last change that it is sure to see.';
{% endmacro %}
