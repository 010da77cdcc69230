{% macro documents_where(checked, columns, condition) -%}
    select
        {{ columns | map(attribute='name') | join(',\n        ') }}
    from {{ checked }}
    where {{ condition }}
{%- endmacro %}
