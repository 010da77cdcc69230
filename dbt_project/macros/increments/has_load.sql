{% macro has_load(changes, table=none) -%}
    exists (
        select 1
        from {{ changes }} as changes
        where
            changes.operation = 'load'
            {%- if table %} and changes.table_name = '{{ table }}' {%- endif %}
    )
{%- endmacro %}
