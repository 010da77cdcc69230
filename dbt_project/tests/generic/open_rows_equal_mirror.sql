{#- The open rows of a history are the rows of its mirrored table, as far as it has been read. -#}
{% test open_rows_equal_mirror(model, table) %}
{%- if execute -%}
{%- set history = tested_node() -%}
{%- set mirrored = mirrored_table(table) -%}
{%- set mirrored_columns = adapter.get_columns_in_relation(mirrored.relation) -%}
{%- set columns = mirrored_columns | map(attribute='quoted') | join(', ') -%}
{%- set is_tested = rows_to_test(history) or 'true' %}

with mirror_rows as (

    select {{ columns }} from {{ mirrored.relation }}
    where {{ is_tested }}

),

open_rows as (

    select {{ columns }} from {{ history.relation_name }}
    where dbt_valid_to is null and {{ is_tested }}

),

differences as (

    select 'only in the mirror' as found, missing.*
    from (select * from mirror_rows except select * from open_rows) as missing
    union all
    select 'only in the history' as found, extra.*
    from (select * from open_rows except select * from mirror_rows) as extra

)

select * from differences
where ({{ mirrored.key | join(', ') }}) not in (
    {{ changed_keys(table, history.name) | indent(4) }}
)
{%- endif -%}
{% endtest %}
