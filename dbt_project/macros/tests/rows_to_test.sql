{#- A run tests all rows below a small table and, below one of more than `whole_table_rows`, those
    it has changed: its tests cost what changed, not what there is. dbt by hand tests every row,
    and so does a run that has built the node anew. -#}
{% macro rows_to_test(node, columns=none) -%}
    {%- set changes = changes_of(node) if execute else [] -%}
    {%- if not changes or is_worked_whole(node, unread_changes(node, before_build=true)) -%}
        {{ return('') }}
    {%- endif -%}
    {{ return(_rows_to_test(node, changes, columns or changes[0].key)) }}
{%- endmacro %}

{% macro _rows_to_test(node, changes, columns) -%}
    ({{ columns | join(', ') }}) in (
        with changes as (

            {{ unread_changes(node, before_build=true) | indent(8) }}

        )

        {{ logged_keys('changes', changes[0].table) | indent(4) }}
        {%- for change in changes[1:] %}
        union
        select existing.{{ changes[0].key | join(', existing.') }}
        from {{ node.relation_name }} as existing
        where (existing.{{ change.key | join(', existing.') }}) in (
            {{ logged_keys('changes', change.table) | indent(8) }}
        )
        {%- endfor %}
    )
{%- endmacro %}
