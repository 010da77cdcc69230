{% macro copy_indexes() %}
create or replace function mrr_state.copy_indexes(p_from regclass, p_to regclass)
    returns void
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $body$
declare
    v_index record;
begin
    for v_index in
        select
            known.indexrelid::regclass as name,
            known.indisunique as is_unique,
            substring(pg_get_indexdef(known.indexrelid) from ' USING .*') as definition
        from pg_index as known
        where
            known.indrelid = p_from
            -- constraints are those of the contract
            and not exists (select from pg_constraint where conindid = known.indexrelid)
    loop
        continue when exists (
            select
            from pg_index as built
            where
                built.indrelid = p_to
                and built.indisunique = v_index.is_unique
                and substring(pg_get_indexdef(built.indexrelid) from ' USING .*')
                = v_index.definition
        );
        begin
            execute format(
                'create %s index on %s %s',
                case when v_index.is_unique then 'unique' end, p_to, v_index.definition
            );
        exception
            when undefined_column then
                null;
            when feature_not_supported then
                raise exception using
                    errcode = 'feature_not_supported',
                    message = format(
                        '%s is left as it was: its index %s cannot be created again: %s',
                        p_from, v_index.name, sqlerrm
                    ),
                    hint = 'Drop this index, and build again.';
        end;
    end loop;
end
$body$;

comment on function mrr_state.copy_indexes is
    'Creates the indexes of a table on the one that takes its place, as far as it lacks them.';
{% endmacro %}
