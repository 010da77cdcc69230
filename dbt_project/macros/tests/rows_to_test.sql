{#- The condition on the rows that a test of a node reads; empty for all of them.

    A run tests all rows below a small table and, below one of more than `whole_table_rows`, those
    it has changed: its tests cost what changed, not what there is. dbt by hand tests every row,
    and so does a run that has built the node anew. `config.meta.changes` names the column by which
    the rows are found, as it does for an increment; a source's is its key. Another relation may
    have it under another name. -#}
{% macro rows_to_test(node, column=none) -%}
    {%- if not execute -%}
        {{ return('') }}
    {%- endif -%}
    {%- set changes = node.config.meta.get('changes', {}) -%}
    {%- if node.resource_type == 'source' and node.config.meta.get('key', []) | length == 1 -%}
        {%- set changes = {adapter.quote(node.config.meta.key[0]): node.name} -%}
    {%- endif -%}
    {%- if not changes or is_worked_whole(node.name, changes.values() | list, 'built_from') -%}
        {{ return('') }}
    {%- endif -%}
    {%- set row_key, own_table = (changes.items() | list)[0] -%}
    {%- set keys -%}
        {{ logged_keys(own_table) }}
        {%- for other, table in (changes.items() | list)[1:] %}
        union
        select existing.{{ row_key }}
        from {{ node.relation_name }} as existing
        where existing.{{ other }} in ({{ logged_keys(table) }})
        {%- endfor %}
    {%- endset -%}
    {{ return((column or row_key) ~ ' in (' ~ keys ~ ')') }}
{%- endmacro %}
