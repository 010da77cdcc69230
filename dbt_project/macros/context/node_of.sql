{% macro node_of(unique_id) -%}
    {{ return((graph.nodes.get(unique_id) or graph.sources.get(unique_id)) if execute else none) }}
{%- endmacro %}
