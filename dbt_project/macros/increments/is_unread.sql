{#- True for every row in a first build, in a full refresh and in a unit test. Also if dbt only
    compiles or shows the model, since no keys are collected then. -#}
{% macro is_unread() -%}
    {{ _is_among(unread_rows(), changes_of(model)) if reads_increment() else 'true' }}
{%- endmacro %}

{% macro _is_among(unread, changes) -%}
    {%- if not changes -%}
        {{ exceptions.raise_compiler_error(
            model.name ~ ": is_unread() needs `changes`, and the model has none"
            ~ "\nHINT: Add meta = {'changes': [{'table': …, 'key': […]}]} to its config."
        ) }}
    {%- endif -%}
    {%- set key = changes[0].key | join(', ') -%}
    ({{ key }}) in (select {{ key }} from {{ unread }})
{%- endmacro %}
