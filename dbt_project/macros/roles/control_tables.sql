{#- The control tables, as dbt's sources declare them. They belong to the owner of the warehouse. -#}
{% macro control_tables() -%}
    {{ return(_control_tables(graph.sources if execute else {})) }}
{%- endmacro %}

{% macro _control_tables(sources) -%}
    {%- set found = [] -%}
    {%- for source in sources.values() if source.schema == 'dwh' -%}
        {%- do found.append(source) -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}
