{% macro check_contract() %}
create or replace function mrr_state.check_contract(p_target regclass, p_built regclass)
    returns void
    language plpgsql
    set search_path = pg_catalog
as $body$
declare
    v_differences text;
begin
    select string_agg(differences.description, '; ')
    into v_differences
    from mrr_state.table_differences(p_target, p_built) as differences;
    if v_differences is not null then
        raise exception using
            errcode = 'datatype_mismatch',
            message = format(
                '%s is left as it was: its contract is another one now: %s', p_target, v_differences
            ),
            hint = format(
                'Build it once with: dbt build --full-refresh --select %s',
                (select relname from pg_class where oid = p_target)
            );
    end if;
end
$body$;

comment on function mrr_state.check_contract is
    'Raises an error that names how a table differs from one that was built of its contract.';
{% endmacro %}
