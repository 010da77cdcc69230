{#- What dbt's generic tests read in place of a relation: its rows that meet the test's `where`,
    and are to be tested. -#}
{% macro get_where_subquery(relation) -%}
    {%- set conditions = [] -%}
    {%- if config.get('where') -%}
        {%- do conditions.append(config.get('where')) -%}
    {%- endif -%}
    {%- if execute -%}
        {%- for node in (graph.nodes.values() | list) + (graph.sources.values() | list)
            if node.relation_name == relation | string -%}
            {%- set changed = rows_to_test(node) -%}
            {%- if changed -%}
                {%- do conditions.append(changed) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {%- if not conditions -%}
        {{ return(relation) }}
    {%- endif -%}
    {{ return(
        '(select * from ' ~ relation ~ ' where (' ~ conditions | join(') and (') ~ ')) as tested'
    ) }}
{%- endmacro %}
