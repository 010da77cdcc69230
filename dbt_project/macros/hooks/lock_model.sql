{#- The locks are the transaction's, so that a pooler cannot leave one behind. They are not taken
    before the transaction, for a hook there makes dbt-postgres run the whole model without one. -#}
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
