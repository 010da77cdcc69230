{#- With the key of the row beside them, the planner knows that no two rows have the same values, and
    does not keep those of each row in case they come again. -#}
{% macro typed_values(columns, json, key) -%}
    {%- set found, numbers, typed = {'row_key': key}, {'row_key': key}, {'row_key': key} -%}
    {%- for column in columns -%}
        {%- set value = 'found.' ~ column.name -%}
        {%- do found.update({column.name: value_at(json, column.meta.path)}) -%}
        {%- if is_of_numbers(column.type) -%}
            {%- do numbers.update({column.name: 'stg.number_of_value(' ~ value ~ ')'}) -%}
            {%- do typed.update({
                column.name: number_as(column.type, 'numbers.' ~ column.name)
            }) -%}
        {%- elif column.meta.array -%}
            {%- do typed.update({
                column.name: "case when jsonb_typeof(" ~ value ~ ") = 'array' then " ~ value ~ ' end'
            }) -%}
        {%- else -%}
            {%- do typed.update({column.name: value_as(column.type, value)}) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ join_once('found', found) }}
    {{ join_once('numbers', numbers) }}
    {{ join_once('typed', typed) }}
{%- endmacro %}
