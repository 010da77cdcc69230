{% macro tested_node() -%}
    {{ return(node_of(model.attached_node)) }}
{%- endmacro %}
