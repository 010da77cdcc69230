{#- The relation of a mirrored table and the name of its key, from its declaration as a source.
    Before all declarations have been read, an empty one. -#}
{% macro mirrored_table(table) %}
    {%- if not execute -%}
        {{ return({'relation': '', 'key': ''}) }}
    {%- endif -%}
    {%- for source in graph.sources.values() if (source.schema, source.name) == ('mrr', table) -%}
        {{ return({
            'relation': api.Relation.create(source.database, source.schema, source.identifier),
            'key': source.config.meta.key[0],
        }) }}
    {%- endfor -%}
    {{ exceptions.raise_compiler_error(
        table ~ ": not declared as a mirrored table\nHINT: Declare it below models/mrr/."
    ) }}
{% endmacro %}
