{#- The query of a node, its arguments and hooks, and the values of the variables that these name. -#}
{% macro text_of(node) -%}
    {%- set texts = [
        node.raw_code,
        node.get('test_metadata'),
        node.config.get('pre-hook'),
        node.config.get('post-hook'),
    ] -%}
    {{ return([texts, values_named_in(tojson(texts, sort_keys=true))]) }}
{%- endmacro %}
