{#- A seed is loaded anew under its readers, who would keep a TRUNCATE waiting. -#}
{% macro postgres__truncate_relation(relation) -%}
    {%- call statement('truncate_relation') -%}
        delete from {{ relation }}
    {%- endcall -%}
{%- endmacro %}
