{#- What determines the values in the rows of a node: its query and those of all nodes above it, with
    the macros and variables that they use. If it changes, an incremental model and a snapshot read
    every row again. -#}
{% macro code_digest(node, known) -%}
    {%- set nodes = [node] -%}
    {#- with which rows its own rows are found again -#}
    {%- set parts = {'': [node.config.meta, node.config.get('unique_key')]} -%}
    {%- for one in nodes -%}
        {%- do parts.update({one.unique_id: [
            text_of(one), digests_of_macros(_macros_of_rows(one), known)
        ]}) -%}
        {%- for parent_id in one.depends_on.nodes -%}
            {%- set parent = node_of(parent_id) -%}
            {%- if parent.raw_code and parent not in nodes -%}
                {%- do nodes.append(parent) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(local_md5(tojson(parts, sort_keys=true))) }}
{%- endmacro %}

{#- Without those that determine which rows are read, and how they are written. -#}
{% macro _macros_of_rows(node) -%}
    {%- set calls = [] -%}
    {%- for call in macros_called_by(node) -%}
        {%- set macro = macro_of(call) -%}
        {%- if macro and not macro.original_file_path.startswith(
            ('macros/hooks/', 'macros/increments/')
        ) -%}
            {%- do calls.append(call) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(calls) }}
{%- endmacro %}
