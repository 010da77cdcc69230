{#- `config.meta.changes` of a node lists the mirrored tables whose changes affect it, and the
    columns of the node that contain their keys:

        changes:
          - {table: mrr_fact_shop_lines, key: [order_id, line_number]}
          - {table: mrr_dim_customers, key: [customer_id]}

    `key` lists the columns of the node, written as in SQL, in the order of the table's key. -#}
{% macro changes_of(node) %}
    {%- if node.resource_type == 'source' -%}
        {%- set key = mirrored_table(node.name).key if node.schema == 'mrr' -%}
        {{ return([{'table': node.name, 'key': key}] if key else []) }}
    {%- endif -%}
    {%- set changes = node.config.meta.get('changes', []) -%}
    {%- for change in changes if execute -%}
        {%- do _check_change(node.name, change) -%}
    {%- endfor -%}
    {{ return(changes) }}
{% endmacro %}

{% macro _check_change(node_name, change) %}
    {%- if change is not mapping or not change.table or change.key is not sequence
        or change.key is string -%}
        {{ exceptions.raise_compiler_error(
            node_name ~ ": `changes` has " ~ change ~ ", which is not a table with its columns"
            ~ "\nHINT: Write it as {table: mrr_fact_sales, key: [sale_id]}."
        ) }}
    {%- endif -%}
    {%- set expected = mirrored_table(change.table).key | length -%}
    {%- if change.key | length != expected -%}
        {{ exceptions.raise_compiler_error(
            node_name ~ ": `changes` names " ~ change.key | length ~ " columns for "
            ~ change.table ~ ", whose key has " ~ expected
            ~ "\nHINT: Name the column that contains each part of its key, in the order of the key."
        ) }}
    {%- endif -%}
{% endmacro %}
