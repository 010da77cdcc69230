{% test open_rows_equal_relation(model, relation) %}
{%- if execute -%}
{%- set history = tested_node() -%}
{%- set change = changes_of(history)[0] -%}
{%- set columns = adapter.get_columns_in_relation(relation) -%}
{%- set columns = columns | map(attribute='quoted') | join(', ') -%}
{%- set is_tested = rows_to_test(history) or 'true' %}

with current_rows as (

    select {{ columns }} from {{ relation }}
    where {{ is_tested }}

),

open_rows as (

    select {{ columns }} from {{ history.relation_name }}
    where dbt_valid_to is null and {{ is_tested }}

),

differences as (

    select 'not in the history' as found, missing.*
    from (select * from current_rows except select * from open_rows) as missing
    union all
    select 'only in the history' as found, extra.*
    from (select * from open_rows except select * from current_rows) as extra

)

select * from differences
-- also a row without a key, for which NOT IN is not true
where (({{ change.key | join(', ') }}) in (
    {{ unread_keys(history, change.table) | indent(4) }}
)) is not true
{%- endif -%}
{% endtest %}
