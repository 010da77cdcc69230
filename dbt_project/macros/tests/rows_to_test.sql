{#- A run tests every row of a node if its mirrored table has at most `whole_table_rows` rows, if it
    built the node in full, or if the test did not pass the last time. Otherwise it tests only the
    rows that it changed, so that its tests do not take longer as the table grows; and none of a
    mart that is a view over such a node, which cannot be asked for the rows that changed. dbt that
    a user starts tests every row. -#}
{% macro rows_to_test(node, columns=none) -%}
    {%- set changes = changes_of(node) if execute else [] -%}
    {%- if execute and not changes and node.config.get('materialized') == 'view' -%}
        {%- for parent in node.depends_on.nodes if rows_to_test(node_of(parent)) -%}
            {{ return('false') }}
        {%- endfor -%}
    {%- endif -%}
    {%- if not changes or is_read_whole(node, unread_changes(node, before_build=true))
        or not has_passed(model.unique_id, node) -%}
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
