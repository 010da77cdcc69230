{#- The columns of a node that have one of the tags, as an array; null, for all of them, if the node
    itself has one. It has its type, so that no other function than ours can take it. -#}
{% macro withheld_columns(node, tags) -%}
    {%- if _has_one_of(node.tags, tags) -%}
        {{ return('null::text[]') }}
    {%- endif -%}
    {%- set names = [] -%}
    {%- for column in node.columns.values() if _has_one_of(column.tags, tags) -%}
        {%- set name = column.name if column.quote else column.name | lower -%}
        {%- do names.append(name | replace("'", "''")) -%}
    {%- endfor -%}
    {{ return(text_array(names)) }}
{%- endmacro %}

{% macro _has_one_of(tags, wanted) -%}
    {%- for tag in tags or [] if tag in wanted -%}
        {{ return(true) }}
    {%- endfor -%}
    {{ return(false) }}
{%- endmacro %}
