{#- A text without surrounding white space; null where nothing is left. -#}
{% macro trimmed(column) -%}
    nullif(regexp_replace({{ column }}, '^\s+|\s+$', '', 'g'), '')
{%- endmacro %}
