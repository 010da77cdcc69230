{#- dbt that a user starts compares and tests every row. A run does so only if the first table of
    the node is small, or if one of its tables must be read whole. -#}
{% macro is_read_whole(node, changes) -%}
    {%- if not is_a_run() -%}
        {{ return(true) }}
    {%- endif -%}
    {%- set first_table = mirrored_table(changes_of(node)[0].table).relation -%}
    {{ return(run_query(
        "select (select reltuples from pg_class where oid = to_regclass('" ~ first_table ~ "')) <= "
        ~ var('whole_table_rows') ~ " or " ~ has_load('(' ~ changes ~ ')')
    ).columns[0][0]) }}
{%- endmacro %}
