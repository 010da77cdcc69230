{#- A cast that fails ends its statement, and `pg_input_is_valid`, which PostgreSQL has from version 16 on,
    does so too at JSON that is nested too deeply. A function that catches errors takes longer. -#}
{% macro json_or_null() %}
create or replace function stg.caught_json(p_text text)
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

comment on function stg.caught_json is
    'As stg.json_or_null, which calls it for texts that may be nested too deeply.';

{#- The planner puts the body in place of a call, if the function sets nothing. #}
create or replace function stg.json_or_null(p_text text)
    returns jsonb
    language sql
    stable
as $body$
    {%- if knows_valid_input() %}
    select
        case
            when octet_length(p_text) > 4096 then stg.caught_json(p_text)
            -- concat is only stable, so that the planner does not cast a constant beforehand
            when pg_catalog.pg_input_is_valid(p_text, 'jsonb') then pg_catalog.concat(p_text)::jsonb
        end
    {%- else %}
    select stg.caught_json(p_text)
    {%- endif %}
$body$;

comment on function stg.json_or_null is
    'The JSON of a text; null if it is not JSON, or none that PostgreSQL can hold.';
{% endmacro %}
