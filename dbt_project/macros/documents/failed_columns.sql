{#- The names of the columns whose value is there, and not of the type. -#}
{% macro failed_columns(columns) -%}
    {%- set failed = [] -%}
    {%- for column in columns -%}
        {%- do failed.append(
            'case when found.' ~ column.name ~ ' is not null and typed.' ~ column.name
            ~ " is null then '" ~ column.name ~ "' end"
        ) -%}
    {%- endfor -%}
    array_remove(array[{{ failed | join(', ') }}]::text[], null)
{%- endmacro %}
