{#- What the regular expression permits, a cast to numeric takes. The planner puts the body in place of
    a call, if the function sets nothing. -#}
{% macro number_of_value() %}
create or replace function stg.number_of_value(p_value jsonb)
    returns numeric
    language sql
    immutable
as $body$
    select
        case pg_catalog.jsonb_typeof(p_value)
            when 'number' then p_value::numeric
            when 'string' then stg.number_of_text(p_value #>> '{}')
            when 'object' then stg.number_of_text(coalesce(
                p_value ->> '$numberLong',
                p_value ->> '$numberInt',
                p_value ->> '$numberDecimal',
                p_value ->> '$numberDouble'
            ))
        end
$body$;

comment on function stg.number_of_value is
    'A value of Extended JSON as a number, also a text of digits; null if it is none.';
{% endmacro %}
