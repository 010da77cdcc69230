{% macro nodes_of(relation) -%}
    {{ return(_nodes_of(relation, [graph.nodes, graph.sources]) if execute else []) }}
{%- endmacro %}

{% macro _nodes_of(relation, collections) -%}
    {%- set found = [] -%}
    {%- set name = relation | string -%}
    {%- for nodes in collections -%}
        {%- for node in nodes.values() if node.relation_name == name -%}
            {%- do found.append(node) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}
