{#- The locks belong to the transaction, so that a pooler cannot leave one behind. They are not
    taken before it, since with a hook there dbt-postgres runs the model without a transaction. -#}
{% macro lock_model() -%}
    {%- set read = [] -%}
    {%- for parent_id in model.depends_on.nodes -%}
        {%- set parent = node_of(parent_id) -%}
        {%- if parent and parent.relation_name -%}
            {%- do read.append(parent.relation_name) -%}
        {%- endif -%}
    {%- endfor -%}
    select mrr_state.begin_build('{{ this }}', {{ text_array(read) }})
{%- endmacro %}
