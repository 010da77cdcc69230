{% macro change_relation() %}
-- as earlier versions created it
drop function if exists mrr_state.change_relation(regclass, text[]);

create or replace function mrr_state.change_relation(
    p_relation regclass, p_statements text[], p_own text[]
)
    returns void
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $body$
declare
    v_statement text;
    v_detail text;
begin
    perform mrr_state.lock_relation(p_relation, 'access exclusive');
    foreach v_statement in array p_statements loop
        begin
            execute v_statement;
        exception
            when dependent_objects_still_exist or feature_not_supported then
                perform mrr_state.drop_views(p_relation, p_own);
                execute v_statement;
        end;
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
    'Changes a table or view in place. Views above it that the same build creates again are dropped'
    ' if they keep it from being changed. Raises an error that names the sessions that use it, or'
    ' the other objects that depend on what would be dropped.';
{% endmacro %}
