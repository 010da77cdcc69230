{% macro instant_of_value() %}
create or replace function stg.instant_of_value(p_value jsonb)
    returns timestamptz
    language sql
    stable
as $body$
    select
        case
            when pg_catalog.jsonb_typeof(p_value) = 'string' then stg.instant_of_text(p_value #>> '{}')
            when pg_catalog.jsonb_typeof(p_value -> '$date') = 'string'
                then stg.instant_of_text(p_value ->> '$date')
            when pg_catalog.jsonb_typeof(p_value -> '$date') = 'number'
                then stg.instant_of_milliseconds(p_value ->> '$date')
            when p_value ? '$date'
                then stg.instant_of_milliseconds(p_value -> '$date' ->> '$numberLong')
            when p_value ? '$timestamp'
                then stg.instant_of_milliseconds(
                    (p_value -> '$timestamp' ->> 't') || '000'
                )
        end
$body$;

comment on function stg.instant_of_value is
    'A value of Extended JSON as a time: a date, a timestamp, or a text that is an instant; null if it'
    ' is none.';
{% endmacro %}
