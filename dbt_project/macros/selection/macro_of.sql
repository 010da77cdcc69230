{#- A macro by its name or unique id; none for a macro of dbt, which has the version of dbt. -#}
{% macro macro_of(call) -%}
    {%- set parts = call.split('.') -%}
    {%- set package = parts[1] if parts | length > 1 else project_name -%}
    {%- if package == 'dbt' or package not in context or parts[-1] not in context[package] -%}
        {{ return(none) }}
    {%- endif -%}
    {{ return(context[package][parts[-1]].macro) }}
{%- endmacro %}
