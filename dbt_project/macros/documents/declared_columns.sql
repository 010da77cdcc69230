{#- Each with its name, its type and its meta. A unit test is a node of its own, without columns. -#}
{% macro declared_columns() -%}
    {%- set node = node_of(model.tested_node_unique_id) if model.resource_type == 'unit_test'
        else model -%}
    {%- set columns = [] -%}
    {%- for column in ((node or {}).columns or {}).values() -%}
        {%- do columns.append({
            'name': column.name,
            'type': column.data_type,
            'meta': (column.config or {}).get('meta') or {},
        }) -%}
    {%- endfor -%}
    {{ return(columns) }}
{%- endmacro %}
