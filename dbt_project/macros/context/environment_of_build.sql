{% macro environment_of_build() -%}
    {{ return(target.name) }}
{%- endmacro %}
