{#- dbt lists the macros that a node called while it was parsed. Others are called only when it is
    built, as below `{% if execute %}`, so that each name in its text counts. -#}
{% macro macros_called_by(node) -%}
    {%- set calls = node.depends_on.macros | list -%}
    {%- set text = tojson([node.raw_code, node.get('test_metadata'), node.config], sort_keys=true) -%}
    {%- for name in modules.re.findall('(\\w+)\\s*\\(', text) | unique -%}
        {%- if name in context[project_name] -%}
            {%- do calls.append(name) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(calls) }}
{%- endmacro %}
