{#- The months that a model has, and of which parts of its source they were made. -#}
{% macro months_of_model(relation) -%}
    select _partition_id, toString(min(source_parts))
    from {{ relation }}
    group by _partition_id
    having min(source_parts) = max(source_parts)
{%- endmacro %}
