{#- A cast that fails ends its statement, and `pg_input_is_valid` fails too at JSON that is nested too
    deeply. PostgreSQL has no cast that returns null instead. -#}
{% macro json_or_null() %}
create or replace function stg.json_or_null(p_text text)
    returns jsonb
    language plpgsql
    immutable
    strict
    set search_path = pg_catalog, pg_temp
as $body$
begin
    return p_text::jsonb;
exception
    -- not JSON, or JSON that PostgreSQL cannot hold; or nested too deeply, or too long
    when data_exception or program_limit_exceeded then
        return null;
end
$body$;

comment on function stg.json_or_null is
    'The JSON of a text; null if it is not JSON, or none that PostgreSQL can hold.';
{% endmacro %}
