{% macro text_array(values) -%}
    array[{{ "'" ~ values | join("', '") ~ "'" if values }}]::text[]
{%- endmacro %}
