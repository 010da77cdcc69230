{% macro postgres__create_columns(relation, columns) -%}
    {%- set statements = [] -%}
    {%- for column in columns -%}
        {%- do statements.append(
            'alter table ' ~ relation ~ ' add column ' ~ column.quoted ~ ' '
            ~ column.expanded_data_type
        ) -%}
    {%- endfor -%}
    {%- if statements -%}
        {%- do change_in_place(relation, statements) -%}
    {%- endif -%}
{%- endmacro %}
