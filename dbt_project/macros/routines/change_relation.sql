{% macro change_relation() %}
create or replace function mrr_state.change_relation(p_relation regclass, p_statements text[])
    returns void
    language plpgsql
    set search_path = pg_catalog
as $body$
declare
    v_statement text;
    v_detail text;
begin
    perform mrr_state.lock_relation(p_relation, 'access exclusive');
    foreach v_statement in array p_statements loop
        execute v_statement;
    end loop;
exception
    when dependent_objects_still_exist or feature_not_supported then
        get stacked diagnostics v_detail = pg_exception_detail;
        if v_detail = '' then
            raise;
        end if;
        perform mrr_state.refuse_change(
            p_relation::text, sqlerrm, regexp_split_to_array(v_detail, '\n')
        );
end
$body$;

comment on function mrr_state.change_relation is
    'Changes a table or view in place. Raises an error that names the sessions that use it, or the'
    ' objects that depend on what would be dropped.';
{% endmacro %}
