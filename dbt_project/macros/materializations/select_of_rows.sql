{#- A value is text that PostgreSQL casts, as it does with a CSV file. dbt reads an empty field, and
    the word null, as NULL. -#}
{% macro select_of_rows(rows, column_types, quote_columns=none) -%}
    {%- set names = [] -%}
    {%- set columns = [] -%}
    {%- for name in rows.column_names -%}
        {%- set quoted = adapter.quote_seed_column(name, quote_columns) -%}
        {%- do names.append(quoted) -%}
        {%- do columns.append(
            'row_values.' ~ quoted ~ '::'
            ~ (column_types.get(name) or adapter.convert_type(rows, loop.index0))
            ~ ' as ' ~ quoted
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
        {# a line break in a value is part of it, so that nothing is indented -#}
        {{ lines | join(',\n') }}
    ) as row_values ({{ names | join(', ') }})
    {{- '\n    limit 0' if not rows.rows }}
{%- endmacro %}
