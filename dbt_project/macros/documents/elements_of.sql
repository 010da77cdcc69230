{#- One row per element, with its position, from 1 on, as `element_position`. A column with a `path`
    is the value there in the element, and others are columns of the document. -#}
{% macro elements_of(checked, array) -%}
    {%- if execute -%}
        {{ _elements_of(checked, array, declared_columns()) }}
    {%- else -%}
        select * from {{ checked }}
    {%- endif -%}
{%- endmacro %}

{% macro _elements_of(checked, array, columns) -%}
    {%- set with_path = columns | selectattr('meta.path', 'defined') | list %}
    select
        {%- for column in columns %}
        {% if 'path' in column.meta -%}
            typed.{{ column.name }}
        {%- elif column.name == 'element_position' -%}
            elements.element_position::integer as element_position
        {%- elif column.name == 'failed_columns' -%}
            {{ failed_columns(with_path) }} as failed_columns
        {%- else -%}
            documents.{{ column.name }}
        {%- endif -%}
        {{ ',' if not loop.last }}
        {%- endfor %}
    from {{ checked }} as documents
    cross join
        lateral jsonb_array_elements(documents.{{ array }})
        with ordinality as elements (element, element_position)
    {{ typed_values(with_path, 'elements.element', 'documents.document_key') }}
    where documents.rejection_reason is null
{%- endmacro %}
