{#- The relation of a mirrored table and the quoted names of its key's columns, from its declaration
    as a source. Before all declarations have been read, an empty one. -#}
{% macro mirrored_table(table) %}
    {%- if not execute -%}
        {{ return({'relation': '', 'key': []}) }}
    {%- endif -%}
    {%- for source in graph.sources.values() if (source.schema, source.name) == ('mrr', table) -%}
        {%- set key = [] -%}
        {%- for column in source.config.meta.key -%}
            {%- do key.append(adapter.quote(column)) -%}
        {%- endfor -%}
        {{ return({
            'relation': api.Relation.create(source.database, source.schema, source.identifier),
            'key': key,
        }) }}
    {%- endfor -%}
    {{ exceptions.raise_compiler_error(
        table ~ ": not declared as a mirrored table\nHINT: Declare it below models/mrr/."
    ) }}
{% endmacro %}
