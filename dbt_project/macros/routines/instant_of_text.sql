{% macro instant_of_text() %}
create or replace function stg.instant_of_text(p_text text)
    returns timestamptz
    language sql
    stable
as $body$
    select case when stg.is_instant(p_text) then p_text::timestamptz end
$body$;

comment on function stg.instant_of_text is
    'The time that a text says with its time zone, as stg.is_instant has it; null if it says none.';
{% endmacro %}
