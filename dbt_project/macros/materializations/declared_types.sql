{% macro declared_types(columns) -%}
    {%- set types = {} -%}
    {%- for column in columns.values() -%}
        {%- do types.update({
            (column.name if column.quote else column.name | lower): column.data_type or none
        }) -%}
    {%- endfor -%}
    {{ return("'" ~ tojson(types) | replace("'", "''") ~ "'") }}
{%- endmacro %}
