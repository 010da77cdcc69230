{#- Of a text: whether it is a whole number of at most nine digits, which fits into an integer, or
    −1, which is nobody. -#}
{% macro is_small_number(text) -%}
    {{ text }} ~ '^([0-9]{1,9}|-1)$'
{%- endmacro %}
