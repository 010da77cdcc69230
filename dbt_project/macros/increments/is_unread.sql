{#- True of every row where there is nothing to leave out: in the first build and a full refresh, in
    a unit test, and where dbt only compiles or shows the model, for nothing is collected then. -#}
{% macro is_unread() -%}
    {{ _is_among(unread_rows(), changes_of(model)) if reads_increment() else 'true' }}
{%- endmacro %}

{% macro _is_among(unread, changes) -%}
    {%- if not changes -%}
        {{ exceptions.raise_compiler_error(
            model.name ~ ": is_unread() asks for `changes`, and the model has none"
            ~ "\nHINT: Write meta = {'changes': [{'table': …, 'key': […]}]} into its config."
        ) }}
    {%- endif -%}
    {%- set key = changes[0].key | join(', ') -%}
    ({{ key }}) in (select {{ key }} from {{ unread }})
{%- endmacro %}
