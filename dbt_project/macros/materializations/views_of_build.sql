{% macro views_of_build() -%}
    {{ return(text_array(_views_among(selected_resources))) }}
{%- endmacro %}

{% macro _views_among(unique_ids) -%}
    {%- set views = [] -%}
    {%- for unique_id in unique_ids -%}
        {%- set node = node_of(unique_id) -%}
        {%- if node and node.config.materialized == 'view' -%}
            {%- do views.append(node.relation_name) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(views) }}
{%- endmacro %}
