{#- True where a model with `changes`, the first of which names its own table, is to be compared or
    tested whole: by dbt by hand always; in a run where its own table is small, where one of them
    was made anew, or where the model has no position yet. -#}
{% macro is_worked_whole(model_name, changes, position) -%}
    {%- if not env_var('TIDEMARK_CHANGES_ONLY', '') -%}
        {{ return(true) }}
    {%- endif -%}
    {%- set tables = changes | map(attribute='table') | list -%}
    {%- set found = run_query(
        "select"
        " (select reltuples from pg_class where oid = to_regclass('"
        ~ mirrored_table(tables[0]).relation ~ "')) <= " ~ var('whole_table_rows')
        ~ " or exists (select from " ~ source('state', 'change_log')
        ~ " where operation = 'load' and table_name in ('" ~ tables | join("', '") ~ "'))"
        ~ " or exists (select from " ~ source('state', 'model_position')
        ~ " where " ~ position ~ " < 0 and model_name = '" ~ model_name ~ "')"
    ) -%}
    {{ return(found.columns[0][0]) }}
{%- endmacro %}
