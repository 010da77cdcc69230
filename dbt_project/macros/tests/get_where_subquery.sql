{% macro get_where_subquery(relation) -%}
    {{ return(_where_subquery(relation, config.get('where'), nodes_of(relation))) }}
{%- endmacro %}

{% macro _where_subquery(relation, where, nodes) -%}
    {%- set conditions = [where] if where else [] -%}
    {%- for node in nodes -%}
        {%- set is_tested = rows_to_test(node) -%}
        {%- if is_tested -%}
            {%- do conditions.append(is_tested) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if not conditions -%}
        {{ return(relation) }}
    {%- endif -%}
    {{ return(
        '(select * from ' ~ relation ~ ' where (' ~ conditions | join(') and (') ~ ')) as tested'
    ) }}
{%- endmacro %}
