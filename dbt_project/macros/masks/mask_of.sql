{#- `hash`, `partial` or `null`; none for a column that is not withheld. A withheld column whose kind is
    not known, or has no mask, is null. -#}
{% macro mask_of(column, node, tags, kinds) -%}
    {%- if _has_one_of(node.tags, tags) or _has_one_of(column.tags, tags) -%}
        {%- set kind = kinds.get((column.meta or {}).get('personal')) or {} -%}
        {{ return(kind.get('mask') if kind.get('mask') in ['hash', 'partial'] else 'null') }}
    {%- endif -%}
    {{ return(none) }}
{%- endmacro %}
