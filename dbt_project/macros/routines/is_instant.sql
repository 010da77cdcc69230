{#- The planner puts the body of the function in place of its call, if the function sets nothing. Its
    names are those of pg_catalog, which no search path hides. -#}
{% macro is_instant() %}
{%- if not knows_valid_input() %}
create or replace function stg.is_valid_instant(p_text text)
    returns boolean
    language plpgsql
    stable
    strict
    set search_path = pg_catalog, pg_temp
as $body$
begin
    return p_text::timestamptz is not null;
exception
    when data_exception then
        return false;
end
$body$;

comment on function stg.is_valid_instant is
    'Whether a text can be cast to timestamptz; from version 16 on, PostgreSQL itself tells.';
{%- endif %}

create or replace function stg.is_instant(p_text text)
    returns boolean
    language sql
    stable
as $body$
    select
        (
            p_text like '____-__-__T__:__:__%Z'
            or p_text like '____-__-__T__:__:__%+__:__'
            or p_text like '____-__-__T__:__:__%-__:__'
        )
        -- PostgreSQL would round them, so that two versions could become one
        and (pg_catalog.length(p_text) < 28 or p_text !~ '[.,][0-9]{7}')
        and {% if knows_valid_input() -%}
            pg_catalog.pg_input_is_valid(p_text, 'timestamptz')
        {%- else -%}
            stg.is_valid_instant(p_text)
        {%- endif %}
$body$;

comment on function stg.is_instant is
    'Whether a text is a time with a time zone as ISO 8601 writes it, with at most six digits of a'
    ' second; null for null.';
{% endmacro %}
