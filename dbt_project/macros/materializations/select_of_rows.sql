{#- A value is text that PostgreSQL casts, as it does with a CSV file; an empty field is NULL. -#}
{% macro select_of_rows(rows, column_types) -%}
    {%- set columns = [] -%}
    {%- for name in rows.column_names -%}
        {%- do columns.append(
            'row_values.' ~ adapter.quote(name) ~ '::'
            ~ (column_types.get(name) or adapter.convert_type(rows, loop.index0))
            ~ ' as ' ~ adapter.quote(name)
        ) -%}
    {%- endfor -%}
    {%- set lines = [] -%}
    {%- for row in rows.rows -%}
        {%- set values = [] -%}
        {%- for value in row -%}
            {%- do values.append(
                'null::text' if value is none
                else "'" ~ (value | string | replace("'", "''")) ~ "'"
            ) -%}
        {%- endfor -%}
        {%- do lines.append('(' ~ values | join(', ') ~ ')') -%}
    {%- endfor -%}
    {%- if not lines -%}
        {%- do lines.append('(' ~ (['null::text'] * columns | length) | join(', ') ~ ')') -%}
    {%- endif -%}
    select
        {{ columns | join(',\n') | indent(8) }}
    from (
        values
        {{ lines | join(',\n') | indent(8) }}
    ) as row_values ({% for name in rows.column_names %}{{ adapter.quote(name) }}
        {{- ', ' if not loop.last }}{% endfor %})
    {{- '\n    limit 0' if not rows.rows }}
{%- endmacro %}
