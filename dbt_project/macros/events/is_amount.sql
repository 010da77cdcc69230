{#- Of a text: whether it is a number that a decimal(10,2) holds exactly. -#}
{% macro is_amount(text) -%}
    {{ text }} ~ '^-?[0-9]{1,8}([.][0-9]{1,2})?$'
{%- endmacro %}
