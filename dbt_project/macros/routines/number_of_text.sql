{% macro number_of_text() %}
create or replace function stg.number_of_text(p_text text)
    returns numeric
    language sql
    immutable
as $body$
    select
        case
            when
                (
                    pg_catalog.length(p_text) <= 400
                    and p_text ~ '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]{1,4})?$'
                )
                or p_text in ('NaN', 'Infinity', '-Infinity')
                then p_text::numeric
        end
$body$;

comment on function stg.number_of_text is 'A text as a number; null if it is none.';
{% endmacro %}
