{% macro positions_below(unique_id) %}
    {{ return(_positions_below(unique_id, graph.nodes)) }}
{% endmacro %}

{% macro _positions_below(unique_id, nodes) %}
    {%- set found = [] -%}
    {%- for node in nodes.values() if has_position(node) and _is_below(node, unique_id, nodes) -%}
        {%- do found.append(node.name) -%}
    {%- endfor -%}
    {{ return(found | sort) }}
{% endmacro %}

{% macro _is_below(node, unique_id, nodes) %}
    {%- if unique_id in node.depends_on.nodes -%}
        {{ return(true) }}
    {%- endif -%}
    {%- for parent_id in node.depends_on.nodes if parent_id in nodes -%}
        {%- if _is_below(nodes[parent_id], unique_id, nodes) -%}
            {{ return(true) }}
        {%- endif -%}
    {%- endfor -%}
    {{ return(false) }}
{% endmacro %}
