{#- The values of the variables that a text names, which may be JSON. Some variables say where and how
    dbt runs, and not what it builds. -#}
{% macro values_named_in(text) -%}
    {%- set values = {} -%}
    {%- for kind, name in modules.re.findall(
        '\\b(var|env_var)\\s*\\(\\s*\\\\?["\']([^"\'\\\\]+)', text
    ) -%}
        {%- if kind == 'var' -%}
            {%- do values.update({name: var(name, none)}) -%}
        {%- elif name not in [
            'WAREHOUSE_HOST', 'WAREHOUSE_PORT', 'WAREHOUSE_USER', 'WAREHOUSE_PASSWORD',
            'TIDEMARK_RUN_ID', 'TIDEMARK_CHANGES_ONLY', 'PGHOSTADDR', 'PGSERVICE',
            'PGSSLMODE', 'PGSSLROOTCERT'
        ] -%}
            {%- do values.update({'$' ~ name: value_of_environment(name)}) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(values) }}
{%- endmacro %}
