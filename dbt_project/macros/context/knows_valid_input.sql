{#- PostgreSQL has `pg_input_is_valid` from version 16 on. -#}
{% macro knows_valid_input() -%}
    {{ return(run_query(
        "select current_setting('server_version_num')::integer >= 160000"
    ).columns[0][0]) }}
{%- endmacro %}
