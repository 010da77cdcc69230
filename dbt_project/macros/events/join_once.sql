{#- PostgreSQL does not merge a subquery with a LIMIT into the query around it. Otherwise it would compute
    each expression anew wherever its name stands. -#}
{% macro join_once(alias, expressions) -%}
    cross join lateral (
        select
            {% for name, expression in expressions.items() -%}
                {{ expression }} as {{ name }}{{ ',' if not loop.last }}
            {% endfor -%}
        limit 1
    ) as {{ alias }}
{%- endmacro %}
