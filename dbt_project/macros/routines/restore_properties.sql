{% macro restore_properties() %}
create or replace function mrr_state.restore_properties(p_relation regclass)
    returns void
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $body$
declare
    v_statement text;
begin
    for v_statement in
        delete from mrr_state.relation_property
        where relation_property.relation_name = p_relation::text
        returning relation_property.restoring_statement
    loop
        begin
            execute v_statement;
        exception
            when undefined_object or undefined_column or wrong_object_type
                or invalid_parameter_value or invalid_grant_operation then
                raise warning '%: "%" is lost: %', p_relation, v_statement, sqlerrm;
        end;
    end loop;
end
$body$;

comment on function mrr_state.restore_properties is
    'Restores the grants, options and comments of a relation that was created again.';
{% endmacro %}
