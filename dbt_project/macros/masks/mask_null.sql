{% macro mask_null(data_type) -%}
    null::{{ data_type }}
{%- endmacro %}
