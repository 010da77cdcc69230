{#- A binary of subtype 3 has its bytes in an order that depends on the driver which wrote it. -#}
{% macro uuid_of_value() %}
create or replace function stg.uuid_of_value(p_value jsonb)
    returns uuid
    language sql
    immutable
as $body$
    select
        case
            when
                coalesce(p_value ->> '$uuid', p_value #>> '{}')
                ~* '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'
                then coalesce(p_value ->> '$uuid', p_value #>> '{}')::uuid
            when
                p_value -> '$binary' ->> 'subType' in ('4', '04')
                and p_value -> '$binary' ->> 'base64' ~ '^[A-Za-z0-9+/]{22}==$'
                then pg_catalog.encode(
                    pg_catalog.decode(p_value -> '$binary' ->> 'base64', 'base64'), 'hex'
                )::uuid
        end
$body$;

comment on function stg.uuid_of_value is
    'A value of Extended JSON as a UUID: a binary of subtype 4, or a text; null if it is none.';
{% endmacro %}
