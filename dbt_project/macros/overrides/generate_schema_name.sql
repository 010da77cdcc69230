{#- A custom schema is taken as it is written: `stg`, not `dwh_stg`. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name or target.schema }}
{%- endmacro %}
