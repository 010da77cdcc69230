{% macro view_options(relation) -%}
    {%- set options = run_query(
        "select ' with (' || array_to_string(reloptions, ', ') || ')'"
        " from pg_catalog.pg_class where oid = '" ~ relation ~ "'::regclass"
    ).columns[0][0] -%}
    {{ return(options or '') }}
{%- endmacro %}
