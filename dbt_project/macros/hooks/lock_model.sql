{#- Pre-hook: of two builds of a model at once, one waits for the other; and neither waits longer
    than `tidemark.build_wait` for the other, or `lock_timeout` for anybody else.

    The locks are the transaction's, so that a pooler cannot leave one behind. They are not taken
    before the transaction, for a hook there makes dbt-postgres run the whole model without one. -#}
{% macro lock_model() -%}
    {%- set read = [] -%}
    {%- if execute -%}
        {%- for parent_id in model.depends_on.nodes -%}
            {%- set parent = graph.nodes.get(parent_id) or graph.sources.get(parent_id) -%}
            {%- if parent and parent.relation_name -%}
                {%- do read.append(parent.relation_name) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    select mrr_state.begin_build(
        '{{ this }}', array[{{ "'" ~ read | join("', '") ~ "'" if read }}]::text[]
    )
{%- endmacro %}
