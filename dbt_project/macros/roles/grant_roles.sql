{#- Run by the owner of the warehouse, who belongs to the loader and the transformer. What it grants is
    all that a role has, but for what was granted to an analyst on relations that dbt does not know. -#}
{% macro grant_roles(accounts, granted_as) -%}
    {%- set owners = _owners_before() -%}
    {%- set found = relations_of_layers() -%}
    {%- set roles = {} -%}
    {%- for name, account in accounts.items() -%}
        {%- do roles.update({name: '"' ~ account | replace('"', '""') ~ '"'}) -%}
    {%- endfor -%}
    {%- call statement('grant_roles', auto_begin=true) -%}
        select pg_advisory_xact_lock(hashtextextended('install_routines', 0));
        {{ grant_to_analyst() }}
        {{ _record(accounts, granted_as) }}
        {{ grants_of_loader(roles, found) if roles.loader }}
        {{ grants_of_transformer(roles, found) if roles.transformer }}
        {{ grants_of_analyst(roles, found) if roles.analyst }}
        {{ grants_of_backup(roles, found) if roles.backup }}
    {%- endcall -%}
    {%- do adapter.commit() -%}
    {%- do hand_over(accounts, owners) -%}
{%- endmacro %}

{#- Whose objects may be handed over: the owner of the warehouse, this account, and the accounts that the
    roles had before. -#}
{% macro _owners_before() -%}
    {%- set owners = [] -%}
    {%- for row in run_query(
        "select current_user::text union select pg_get_userbyid(nspowner)::text from pg_namespace"
        " where nspname in ('mrr', 'stg', 'dwh')"
        " union select account_name from mrr_state.role_account"
    ) -%}
        {%- do owners.append(row[0] | replace("'", "''")) -%}
    {%- endfor -%}
    {{ return(owners) }}
{%- endmacro %}

{% macro _record(accounts, granted_as) -%}
    {%- set listed = "jsonb_each_text('" ~ tojson(accounts) | replace("'", "''")
        ~ "') as accounts (warehouse_role, account_name)" -%}
    delete from mrr_state.role_account using {{ listed }}
    where
        role_account.warehouse_role = accounts.warehouse_role
        or role_account.account_name = accounts.account_name;
    insert into mrr_state.role_account (warehouse_role, account_name, granted_as)
    select
        accounts.warehouse_role,
        accounts.account_name,
        '{{ granted_as }}'
    from {{ listed }};
{%- endmacro %}
