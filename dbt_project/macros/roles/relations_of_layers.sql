{#- The names of the relations of each layer for which the session may grant privileges: not those of
    somebody else. Control tables are apart from what dbt builds in `dwh`. -#}
{% macro relations_of_layers() -%}
    {%- set found = {
        'mrr': [], 'mrr_state': [], 'stg': [], 'dwh': [], 'control': [], 'sequences': []
    } -%}
    {%- set control = [] -%}
    {%- for table in control_tables() -%}
        {%- do control.append(table.identifier) -%}
    {%- endfor -%}
    {%- for kind, name in run_query(
        "select case when pg_class.relkind = 'S' then 'sequences'"
        " when nspname = 'dwh' and relname = any(" ~ text_array(control) ~ ") then 'control'"
        " else nspname end, format('%I.%I', nspname, relname)"
        " from pg_class inner join pg_namespace on pg_class.relnamespace = pg_namespace.oid"
        " where nspname in ('mrr', 'mrr_state', 'stg', 'dwh')"
        " and relkind in ('r', 'p', 'v', 'm', 'f', 'S') and pg_has_role(relowner, 'usage')"
        " order by 2"
    ) -%}
        {%- do found[kind].append(name) -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}
