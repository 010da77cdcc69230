{% macro postgres__alter_relation_add_remove_columns(relation, add_columns, remove_columns) -%}
    {%- set statements = [] -%}
    {%- for column in add_columns or [] -%}
        {%- do statements.append(
            'alter table ' ~ relation ~ ' add column ' ~ column.quoted ~ ' '
            ~ column.expanded_data_type
        ) -%}
    {%- endfor -%}
    {%- for column in remove_columns or [] -%}
        {%- do statements.append('alter table ' ~ relation ~ ' drop column ' ~ column.quoted) -%}
    {%- endfor -%}
    {%- if statements -%}
        {%- do change_in_place(relation, statements) -%}
    {%- endif -%}
{%- endmacro %}
