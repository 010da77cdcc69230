{#- They are added as days and seconds, since an interval of so many seconds would be rounded. PostgreSQL
    has no time before 4714 BC; MongoDB has. -#}
{% macro instant_of_milliseconds() %}
create or replace function stg.instant_of_milliseconds(p_text text)
    returns timestamptz
    language sql
    immutable
as $body$
    select
        case
            when
                p_text ~ '^-?[0-9]{1,15}$'
                and p_text::bigint >= -210866803200000
                then (
                    timestamp '1970-01-01'
                    + pg_catalog.make_interval(
                        days => (p_text::bigint / 86400000)::integer,
                        secs => (p_text::bigint % 86400000)::double precision / 1000
                    )
                ) at time zone 'UTC'
        end
$body$;

comment on function stg.instant_of_milliseconds is
    'The time so many milliseconds after 1970, or before; null if it is no such number.';
{% endmacro %}
