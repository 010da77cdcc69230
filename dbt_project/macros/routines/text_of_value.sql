{#- The planner puts the body in place of a call, if the function sets nothing. -#}
{% macro text_of_value() %}
create or replace function stg.text_of_value(p_value jsonb)
    returns text
    language sql
    immutable
as $body$
    select
        case
            when pg_catalog.jsonb_typeof(p_value) in ('string', 'number', 'boolean')
                then p_value #>> '{}'
            else coalesce(
                p_value ->> '$oid',
                p_value ->> '$numberInt',
                p_value ->> '$numberLong',
                p_value ->> '$numberDecimal',
                p_value ->> '$numberDouble',
                p_value ->> '$uuid',
                p_value ->> '$symbol'
            )
        end
$body$;

comment on function stg.text_of_value is
    'A value of Extended JSON as text, if it is one value: a text, a number, an ObjectId, a UUID.';
{% endmacro %}
