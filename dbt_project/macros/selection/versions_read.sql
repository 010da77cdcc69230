{#- Expression with the versions of what a node reads, as jsonb. -#}
{% macro versions_read(node) -%}
    {%- set nodes = [] -%}
    {%- set tables = [] -%}
    {%- for input in inputs_of(node) -%}
        {%- if input.resource_type != 'source' -%}
            {%- do nodes.append(input.unique_id) -%}
        {%- elif input.schema == 'mrr' -%}
            {%- do tables.append(input.name) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return('mrr_state.versions_of(' ~ text_array(nodes) ~ ', ' ~ text_array(tables) ~ ')') }}
{%- endmacro %}
