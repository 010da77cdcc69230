{#- What is recorded of a build or a test of a node: its fingerprint, the digest of its code, and the
    versions of its inputs, as an expression. -#}
{% macro record_of(unique_id) -%}
    {{ return(_record_of(unique_id, graph) if execute else {}) }}
{%- endmacro %}

{% macro _record_of(unique_id, graph) -%}
    {{ return(graph.get('records', {}).get(unique_id) or records_of([unique_id])[unique_id]) }}
{%- endmacro %}
