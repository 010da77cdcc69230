{#- Gives what was built beside a relation its place and its grants, where nothing of others rests
    on it. The views of this project above it that this invocation builds too go, and come back. -#}
{% macro put_in_place(relation, built) -%}
    {%- set own = [] -%}
    {%- for node in graph.nodes.values()
        if node.unique_id in selected_resources and node.config.materialized == 'view' -%}
        {%- do own.append(node.relation_name) -%}
    {%- endfor -%}
    {%- do run_query(
        "select mrr_state.replace_relation('" ~ relation ~ "', '" ~ built ~ "', array["
        ~ ("'" ~ own | join("', '") ~ "'" if own) ~ ']::text[])'
    ) -%}
{%- endmacro %}
