{% macro surrogate_key(scd_id) -%}
    (('x' || left({{ scd_id }}, 16))::bit(64)::bigint & 9223372036854775807)
{%- endmacro %}
