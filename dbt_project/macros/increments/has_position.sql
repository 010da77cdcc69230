{% macro has_position(node) -%}
    {{ return(node is mapping and node.config.materialized in ['incremental', 'snapshot']) }}
{%- endmacro %}
