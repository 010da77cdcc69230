{#- The accounts of the roles as a relation. -#}
{% macro accounts_of_roles(accounts) -%}
    jsonb_each_text('{{ tojson(accounts) | replace("'", "''") }}') as accounts (
        warehouse_role, account_name
    )
{%- endmacro %}
