{#- What determines the outcome of a node, apart from rows: its own text and configuration, the
    macros of the project that it calls or that dbt calls for it, and the variables that they read.
    It is empty if dbt does not know the contents, as with a large seed: then the node is built in
    every run. An ephemeral model is part of the query of the nodes that read it. -#}
{% macro fingerprint_of(node, known) -%}
    {%- if node.checksum.name == 'path' -%}
        {{ return('') }}
    {%- endif -%}
    {%- set parents = (node.depends_on.nodes or []) | sort -%}
    {%- set parts = [dbt_version, environment_of_build(), node.checksum, parents] -%}
    {%- for name in ['config', 'constraints', 'description', 'relation_name'] -%}
        {%- do parts.append(node.get(name)) -%}
    {%- endfor -%}
    {%- do parts.append(_columns_of(node)) -%}
    {%- if 'macro.tidemark.masked' in node.depends_on.macros -%}
        {#- the tags of a relation are the query of its masked view -#}
        {%- set parent = node_of(parents[0]) -%}
        {%- do parts.append([parent.tags, _columns_of(parent)]) -%}
    {%- endif -%}
    {%- for one in _with_ephemeral_parents(node) -%}
        {%- do parts.append(text_of(one)) -%}
        {%- do parts.append(digests_of_macros(_calls_of(one), known)) -%}
    {%- endfor -%}
    {{ return(local_md5(tojson(parts, sort_keys=true))) }}
{%- endmacro %}

{% macro _with_ephemeral_parents(node) -%}
    {%- set found = [node] -%}
    {%- for one in found -%}
        {%- for parent_id in one.depends_on.nodes -%}
            {%- set parent = node_of(parent_id) -%}
            {%- if parent and parent.config.materialized == 'ephemeral' and parent not in found -%}
                {%- do found.append(parent) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{#- With the macros of the project that dbt calls by itself, in place of its own. -#}
{% macro _calls_of(node) -%}
    {%- set materialization = 'materialization_' ~ node.config.materialized -%}
    {%- set calls = [
        'install_routines', materialization ~ '_postgres', materialization ~ '_default'
    ] + macros_called_by(node) -%}
    {%- for name in context[project_name] if name.startswith(
        ('postgres__', 'default__', 'generate_')
    ) -%}
        {%- do calls.append(name) -%}
    {%- endfor -%}
    {{ return(calls) }}
{%- endmacro %}

{#- dbt keeps the tags of a column in an order that changes from one parse to the next. -#}
{% macro _columns_of(node) -%}
    {%- set columns = [] -%}
    {%- for column in (node.get('columns') or {}).values() -%}
        {%- do columns.append(dict(
            column,
            tags=(column.tags or []) | sort,
            config=(column.config or {}).get('meta')
        )) -%}
    {%- endfor -%}
    {{ return(columns) }}
{%- endmacro %}
