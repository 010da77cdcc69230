{#- `config.meta.changes` of a node: the mirrored tables whose changes reach it, and by which of its
    columns their keys are found. The first is the table that the node is built by:

        changes:
          - {table: mrr_fact_shop_lines, key: [order_id, line_number]}
          - {table: mrr_dim_customers, key: [customer_id]}

    `key` names the node's columns as SQL does, in the order of the table's key. A mirrored table is
    found by its own key; one without a key has no changes that could be told apart. -#}
{% macro changes_of(node) %}
    {%- if node.resource_type == 'source' -%}
        {%- if not node.config.meta.get('key') -%}
            {{ return([]) }}
        {%- endif -%}
        {{ return([{'table': node.name, 'key': mirrored_table(node.name).key}]) }}
    {%- endif -%}
    {%- set changes = node.config.meta.get('changes', []) -%}
    {%- for change in changes if execute -%}
        {%- if change is not mapping or not change.table or change.key is not sequence
            or change.key is string -%}
            {{ exceptions.raise_compiler_error(
                node.name ~ ": `changes` has " ~ change ~ ", which is no table with a list of columns"
                ~ "\nHINT: Write it as {table: mrr_fact_sales, key: [sale_id]}."
            ) }}
        {%- endif -%}
        {%- set expected = mirrored_table(change.table).key | length -%}
        {%- if change.key | length != expected -%}
            {{ exceptions.raise_compiler_error(
                node.name ~ ": `changes` names " ~ change.key | length ~ " columns for "
                ~ change.table ~ ", whose key has " ~ expected
                ~ "\nHINT: Name the column that holds each part of its key, in the key's order."
            ) }}
        {%- endif -%}
    {%- endfor -%}
    {{ return(changes) }}
{% endmacro %}
