{#- The models above a node that have a position of their own, seen through views. -#}
{% macro models_with_position(node) %}
    {%- set found = [] -%}
    {%- for parent_id in node.depends_on.nodes if parent_id in graph.nodes -%}
        {%- set parent = graph.nodes[parent_id] -%}
        {%- if parent.config.materialized in ['incremental', 'snapshot'] -%}
            {%- do found.append(parent.name) -%}
        {%- else -%}
            {%- do found.extend(models_with_position(parent)) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(found | unique | sort) }}
{% endmacro %}
