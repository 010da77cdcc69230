{#- The partition of a day, as published tables have it; 0 for a row without one. -#}
{% macro month_of(day) -%}
    ifNull(toYYYYMM({{ day }}), 0)
{%- endmacro %}
