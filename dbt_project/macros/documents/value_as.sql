{% macro value_as(type, value) -%}
    {%- set kind = type_without_size(type) -%}
    {%- if kind == 'text' -%}
        stg.text_of_value({{ value }})
    {%- elif kind == 'boolean' -%}
        case when jsonb_typeof({{ value }}) = 'boolean' then ({{ value }})::boolean end
    {%- elif kind in ['timestamptz', 'timestamp with time zone'] -%}
        stg.instant_of_value({{ value }})
    {%- elif kind == 'date' -%}
        (stg.instant_of_value({{ value }}) at time zone 'UTC')::date
    {%- elif kind == 'uuid' -%}
        stg.uuid_of_value({{ value }})
    {%- elif kind == 'bytea' -%}
        stg.bytes_of_value({{ value }})
    {%- elif kind == 'jsonb' -%}
        {{ value }}
    {%- else -%}
        {{ exceptions.raise_compiler_error(
            model.name ~ ': no field of a document is read as ' ~ type
            ~ '\nHINT: Declare text, smallint, integer, bigint, numeric, double precision, boolean,'
            ~ ' timestamptz, date, uuid, bytea or jsonb.'
        ) }}
    {%- endif -%}
{%- endmacro %}
