{#- dbt by hand compares and tests every row. A run does so where the node's own table is small, and
    where one of its tables is to be read whole. -#}
{% macro is_worked_whole(node, changes) -%}
    {%- if not is_a_run() -%}
        {{ return(true) }}
    {%- endif -%}
    {%- set own_table = mirrored_table(changes_of(node)[0].table).relation -%}
    {{ return(run_query(
        "select (select reltuples from pg_class where oid = to_regclass('" ~ own_table ~ "')) <= "
        ~ var('whole_table_rows') ~ " or " ~ has_load('(' ~ changes ~ ')')
    ).columns[0][0]) }}
{%- endmacro %}
