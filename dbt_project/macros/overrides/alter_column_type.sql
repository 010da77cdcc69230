{% macro postgres__alter_column_type(relation, column_name, new_column_type) -%}
    {%- set column = adapter.quote(column_name) -%}
    {%- do change_in_place(relation, [
        'alter table ' ~ relation ~ ' alter column ' ~ column ~ ' type ' ~ new_column_type
        ~ ' using ' ~ column ~ '::' ~ new_column_type
    ]) -%}
{%- endmacro %}
