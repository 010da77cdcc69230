{#- The condition on the rows that a test of a node reads; empty for all of them.

    A run tests all rows below a small table and, below one of more than `whole_table_rows`, those
    it has changed: its tests cost what changed, not what there is. dbt by hand tests every row,
    and so does a run that has built the node anew. The node's `changes` name the columns by which
    the rows are found, as they do for an increment. Another relation may have them under other
    names: `columns`, in the same order. -#}
{% macro rows_to_test(node, columns=none) -%}
    {%- if not execute -%}
        {{ return('') }}
    {%- endif -%}
    {%- set changes = changes_of(node) -%}
    {%- if not changes or is_worked_whole(node.name, changes, 'built_from') -%}
        {{ return('') }}
    {%- endif -%}
    {%- set row_key = changes[0].key -%}
    {%- set keys -%}
        {{ logged_keys(changes[0].table) }}
        {%- for change in changes[1:] %}
        union
        select existing.{{ row_key | join(', existing.') }}
        from {{ node.relation_name }} as existing
        where
            (existing.{{ change.key | join(', existing.') }})
            in ({{ logged_keys(change.table) }})
        {%- endfor %}
    {%- endset -%}
    {{ return('(' ~ (columns or row_key) | join(', ') ~ ') in (' ~ keys ~ ')') }}
{%- endmacro %}
