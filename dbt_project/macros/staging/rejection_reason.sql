{#- Why a row is set aside: the reason of the first rule that it breaks, null for a valid row.
    `rules` are pairs of a condition that must hold and the reason told where it does not. -#}
{% macro rejection_reason(rules) -%}
    case
        {% for condition, reason in rules -%}
        when ({{ condition }}) is not true then '{{ reason }}'
        {% endfor -%}
    end
{%- endmacro %}
