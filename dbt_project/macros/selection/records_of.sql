{#- `known` has the digests of the macros that were computed for other nodes. -#}
{% macro records_of(unique_ids) -%}
    {%- set known = {} -%}
    {%- set records = {} -%}
    {%- for unique_id in unique_ids -%}
        {%- set node = node_of(unique_id) -%}
        {%- if node and node.resource_type != 'source' -%}
            {%- do records.update({unique_id: {
                'fingerprint': fingerprint_of(node, known),
                'code_digest': code_digest(node, known) if has_position(node) else '',
                'versions_read': versions_read(node),
            }}) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(records) }}
{%- endmacro %}
