{% macro is_a_run() -%}
    {{ return(env_var('TIDEMARK_CHANGES_ONLY', '') != '') }}
{%- endmacro %}
