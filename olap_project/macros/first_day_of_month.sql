{#- toStartOfMonth has no days before 1970 -#}
{% macro first_day_of_month(day) -%}
    subtractDays({{ day }}, toDayOfMonth({{ day }}) - 1)
{%- endmacro %}
