{#- The query of a node, its arguments and hooks, and the values of the variables that these name. The
    query of a model that reads documents is made of the columns that its YAML declares. -#}
{% macro text_of(node) -%}
    {%- set texts = [
        node.raw_code,
        node.get('test_metadata'),
        node.config.get('pre-hook'),
        node.config.get('post-hook'),
    ] -%}
    {%- if node.depends_on.macros | select('in', [
        'macro.tidemark.checked_documents',
        'macro.tidemark.valid_documents',
        'macro.tidemark.rejected_documents',
        'macro.tidemark.elements_of',
    ]) | list -%}
        {%- for column in (node.columns or {}).values() -%}
            {%- do texts.append([
                column.name, column.data_type, (column.config or {}).get('meta')
            ]) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return([texts, values_named_in(tojson(texts, sort_keys=true))]) }}
{%- endmacro %}
