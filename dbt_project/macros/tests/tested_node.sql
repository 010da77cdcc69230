{#- The node that a generic test is attached to. -#}
{% macro tested_node() -%}
    {{ return(graph.nodes[model.attached_node]) }}
{%- endmacro %}
