{% macro positions_above(node) %}
    {%- set found = [] -%}
    {%- for parent_id in node.depends_on.nodes -%}
        {%- set parent = node_of(parent_id) -%}
        {%- if has_position(parent) -%}
            {%- do found.append(parent.name) -%}
        {%- elif parent and parent.resource_type != 'source' -%}
            {%- do found.extend(positions_above(parent)) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(found | unique | sort) }}
{% endmacro %}
