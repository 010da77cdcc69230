{% macro bytes_of_value() %}
create or replace function stg.bytes_of_value(p_value jsonb)
    returns bytea
    language sql
    immutable
as $body$
    select
        case
            when
                pg_catalog.length(p_value -> '$binary' ->> 'base64') % 4 = 0
                and p_value -> '$binary' ->> 'base64' ~ '^[A-Za-z0-9+/]*={0,2}$'
                then pg_catalog.decode(p_value -> '$binary' ->> 'base64', 'base64')
        end
$body$;

comment on function stg.bytes_of_value is
    'The bytes of a binary of Extended JSON; null if it is none.';
{% endmacro %}
