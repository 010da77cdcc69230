{#- An analyst reads `dwh`, but for the columns that are withheld. What is made there later can be
    read at once; a build withholds columns in the transaction that makes them. -#}
{% macro grants_of_analyst(roles, found) -%}
    {%- set role = roles.analyst -%}
    grant usage on schema dwh to {{ role }};
    alter default privileges for role {{ roles.transformer or 'current_user' }} in schema dwh
        grant select on tables to {{ role }};
    {% for node in control_tables() + _nodes_of_dwh() -%}
        select mrr_state.grant_to_analyst(
            to_regclass('{{ node.relation_name | replace("'", "''") }}'),
            {{ withheld_columns(node, var('withheld_tags')) }}
        );
    {% endfor -%}
{%- endmacro %}

{% macro _nodes_of_dwh() -%}
    {%- set found = [] -%}
    {%- for node in graph.nodes.values() if node.schema == 'dwh' and node.relation_name -%}
        {%- do found.append(node) -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}
