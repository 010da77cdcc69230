{% macro valid_documents(checked) -%}
    {%- if execute -%}
        {{ documents_where(checked, declared_columns(), 'rejection_reason is null') }}
    {%- else -%}
        select * from {{ checked }}
    {%- endif -%}
{%- endmacro %}
