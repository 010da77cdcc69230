{#- The key of a version: 63 bits of its dbt_scd_id. The history is never rebuilt, so a rebuilt
    dimension has the keys it had before. -#}
{% macro surrogate_key(scd_id) -%}
    (('x' || left({{ scd_id }}, 16))::bit(64)::bigint & 9223372036854775807)
{%- endmacro %}
