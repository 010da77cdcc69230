{#- The nodes and sources whose rows a node reads. A view has no rows of its own, so that what it
    reads belongs to them too. -#}
{% macro inputs_of(node) -%}
    {%- set found = [] -%}
    {%- set waiting = (node.depends_on.nodes or []) | list -%}
    {%- for unique_id in waiting -%}
        {%- set parent = node_of(unique_id) -%}
        {%- if parent and parent not in found -%}
            {%- do found.append(parent) -%}
            {%- if parent.config.materialized in ['view', 'ephemeral'] -%}
                {%- do waiting.extend(parent.depends_on.nodes or []) -%}
            {%- endif -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}
