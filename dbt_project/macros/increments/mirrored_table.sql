{% macro mirrored_table(table) -%}
    {{ return(_mirrored_table(table, graph.sources.values()) if execute else _no_table()) }}
{%- endmacro %}

{% macro _mirrored_table(table, sources) -%}
    {%- for source in sources if (source.schema, source.name) == ('mrr', table) -%}
        {%- set key = [] -%}
        {%- for column in source.config.meta.get('key') or [] -%}
            {%- do key.append(adapter.quote(column | replace('"', '""'))) -%}
        {%- endfor -%}
        {{ return({
            'relation': api.Relation.create(source.database, source.schema, source.identifier),
            'key': key,
        }) }}
    {%- endfor -%}
    {{ exceptions.raise_compiler_error(
        table ~ ": not declared as a mirrored table\nHINT: Declare it below models/mrr/."
    ) }}
{%- endmacro %}

{#- The placeholder for a table while dbt parses. -#}
{% macro _no_table() -%}
    {{ return({'relation': '', 'key': []}) }}
{%- endmacro %}
