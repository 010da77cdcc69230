{#- What an analyst may see of a relation with personal columns: all its columns, by the tags that its
    model or snapshot has now. -#}
{% macro masked(relation) -%}
    {%- if execute -%}
        {{ _masked(
            relation, node_of(model.depends_on.nodes[0]), model,
            var('withheld_tags'), var('personal_data')
        ) }}
    {%- else -%}
        select * from {{ relation }}
    {%- endif -%}
{%- endmacro %}

{#- The columns and their types are those of the contract. -#}
{% macro _masked(relation, node, view, tags, kinds) -%}
    {%- set columns = [] -%}
    {%- for column in view.columns.values() -%}
        {%- set name = adapter.quote(column.name) if column.quote else column.name -%}
        {%- set mask = mask_of(node.columns.get(column.name), node, tags, kinds) -%}
        {%- if mask == 'hash' -%}
            {%- do columns.append(mask_hash(name) ~ ' as ' ~ name) -%}
        {%- elif mask == 'partial' -%}
            {%- do columns.append(mask_partial(name, column.data_type) ~ ' as ' ~ name) -%}
        {%- elif mask == 'null' -%}
            {%- do columns.append(mask_null(column.data_type) ~ ' as ' ~ name) -%}
        {%- else -%}
            {%- do columns.append(name) -%}
        {%- endif -%}
    {%- endfor -%}
    select
        {{ columns | join(',\n        ') }}
    from {{ relation }}
{%- endmacro %}
