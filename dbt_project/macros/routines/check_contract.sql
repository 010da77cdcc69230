{% macro check_contract() %}
create or replace function mrr_state.check_contract(
    p_target regclass, p_contract regclass, p_model text
)
    returns void
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $body$
declare
    -- a constraint that somebody has added stops no increment whose rows keep it
    v_kinds text[] := array['column', 'type', 'null', 'constraint'];
    v_differences text := (
        select string_agg(differences.description, '; ')
        from mrr_state.table_differences(p_target, p_contract) as differences
        where differences.kind = any(v_kinds)
    );
    v_definition text;
begin
    if v_differences is null then
        return;
    end if;

    -- a check that was restored from a dump may be written in another way than one that was declared
    execute format('create temporary table reread_contract (like %s) on commit drop', p_contract);
    for v_definition in
        select pg_get_constraintdef(oid)
        from pg_constraint
        where conrelid = p_contract and contype <> 'n'
    loop
        execute format('alter table pg_temp.reread_contract add %s', v_definition);
    end loop;
    if exists (
        select from mrr_state.table_differences(p_target, 'pg_temp.reread_contract') as differences
        where differences.kind = any(v_kinds)
    ) then
        raise exception using
            errcode = 'datatype_mismatch',
            message = format(
                '%s is left as it was: its contract is another one now: %s', p_target, v_differences
            ),
            hint = format(
                'Build it once with: dbt build --full-refresh --select %s', p_model
            );
    end if;
    drop table pg_temp.reread_contract;
end
$body$;

comment on function mrr_state.check_contract is
    'Raises an error that names how a table differs from an empty one that was made of the contract.'
    ' Foreign keys, and constraints that the contract does not have, are not compared.';
{% endmacro %}
