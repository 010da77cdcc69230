{#- The columns are those that the YAML of the model declares. A column with a `path` is the value
    there, as its `data_type`; it is null, and named in `failed_columns`, if it is not of that type.
    One that is `required` makes a document without it invalid. -#}
{% macro checked_documents(documents, rules=none) -%}
    {%- if execute -%}
        {{ _checked_documents(documents, declared_columns(), rules or {}) }}
    {%- else -%}
        select * from {{ documents }}
    {%- endif -%}
{%- endmacro %}

{% macro _checked_documents(documents, columns, rules) -%}
    {%- set with_path = columns | selectattr('meta.path', 'defined') | list -%}
    {%- set conditions = [] -%}
    {%- for column in with_path if column.meta.required -%}
        {%- do conditions.append([
            'typed.' ~ column.name ~ ' is null',
            column.name ~ ' is missing, or not of type ' ~ column.type
        ]) -%}
    {%- endfor -%}
    {%- for reason, condition in rules.items() -%}
        {%- do conditions.append([condition, reason]) -%}
    {%- endfor %}
    select
        {%- for column in columns %}
        {% if 'path' in column.meta -%}
            typed.{{ column.name }}
        {%- elif column.name == 'failed_columns' -%}
            {{ failed_columns(with_path) }} as failed_columns
        {%- elif column.name == 'rejection_reason' -%}
            case
                when documents.fault is not null then documents.fault
                when parsed.body is null then 'document is JSON that PostgreSQL cannot hold'
                {%- for condition, reason in conditions %}
                when {{ condition }} then '{{ reason | replace("'", "''") }}'
                {%- endfor %}
            end as rejection_reason
        {%- else -%}
            documents.{{ column.name }}
        {%- endif -%}
        {{ ',' if not loop.last }}
        {%- endfor %}
    from {{ documents }} as documents
    {{ join_once('parsed', {
        'body': 'case when documents.fault is null then stg.json_or_null(documents.document_text) end'
    }) }}
    {{ typed_values(with_path, 'parsed.body', 'documents.document_key') }}
{%- endmacro %}
