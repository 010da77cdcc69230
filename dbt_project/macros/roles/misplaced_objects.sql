{#- The objects that are to belong to another account than to that which has them, as statements. -#}
{% macro misplaced_objects(accounts) -%}
    {%- set control = [] -%}
    {%- for table in control_tables() -%}
        {%- do control.append(table.identifier) -%}
    {%- endfor -%}
    {%- set statements = [] -%}
    {%- for row in run_query(
        "select format('alter %s %s owner to %I', kind, object_name, account_name)"
        " from mrr_state.misplaced_objects('" ~ tojson(accounts) | replace("'", "''") ~ "'::jsonb, "
        ~ text_array(control) ~ ')'
    ) -%}
        {%- do statements.append(row[0]) -%}
    {%- endfor -%}
    {{ return(statements) }}
{%- endmacro %}
