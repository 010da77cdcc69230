{% macro is_of_numbers(type) -%}
    {{ return(type_without_size(type) in [
        'smallint', 'integer', 'bigint', 'numeric', 'double precision'
    ]) }}
{%- endmacro %}
