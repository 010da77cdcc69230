{#- The condition that two relations have the same key; `key` names its columns as SQL does. -#}
{% macro same_key(one, other, key) -%}
    {%- for column in key -%}
        {{ one }}.{{ column }} = {{ other }}.{{ column }}{{ ' and ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
