{#- A text keeps its first two characters, if it has four or more; a number is cut to tens, and
    a day or a time to its year, in UTC. -#}
{% macro mask_partial(column, data_type) -%}
    {%- if data_type == 'text' -%}
        left({{ column }}, case when length({{ column }}) >= 4 then 2 else 0 end) || '…'
    {%- elif data_type in ['smallint', 'integer', 'bigint'] or data_type.startswith('numeric') -%}
        (trunc({{ column }} / 10.0) * 10)::{{ data_type }}
    {%- elif data_type in ['timestamptz', 'timestamp with time zone'] -%}
        date_trunc('year', {{ column }}, 'UTC')
    {%- elif data_type == 'date' or data_type.startswith('timestamp') -%}
        date_trunc('year', {{ column }}::timestamp)::{{ data_type }}
    {%- else -%}
        {%- do exceptions.raise_compiler_error(
            column ~ ': the mask `partial` is not defined for the type ' ~ data_type
            ~ '\nHINT: Give its kind in `personal_data` (dbt_project.yml) the mask `null`.'
        ) -%}
    {%- endif -%}
{%- endmacro %}
