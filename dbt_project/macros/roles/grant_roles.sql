{#- Run by the owner of the warehouse, who belongs to the loader and the transformer. What it grants is
    all that a role has, but for what was granted to an analyst on relations that dbt does not know.
    An account that had a role before, and has none now, keeps nothing. -#}
{% macro grant_roles(accounts, granted_as) -%}
    {#- nobody else may lend a name to what the owner runs -#}
    {%- do run_query('set search_path = pg_catalog, pg_temp') -%}
    {%- set found = relations_of_layers() -%}
    {%- set revocations = revocations_of(accounts) -%}
    {%- set roles = {} -%}
    {%- for name, account in accounts.items() -%}
        {%- do roles.update({name: '"' ~ account | replace('"', '""') ~ '"'}) -%}
    {%- endfor -%}
    {%- call statement('grant_roles', auto_begin=true) -%}
        select pg_advisory_xact_lock(hashtextextended('install_routines', 0::bigint));
        {{ grant_to_analyst() }}
        {{ _foreign_routines_of_logs() | join('\n') }}
        {{ routines_of_logs() }}
        {{ revocations | join('\n') }}
        {{ _record(accounts, granted_as) }}
        {{ grants_of_loader(roles, found) if roles.loader }}
        {{ grants_of_transformer(roles, found) if roles.transformer }}
        {{ grants_of_analyst(roles, found) if roles.analyst }}
        {{ grants_of_backup(roles, found) if roles.backup }}
    {%- endcall -%}
    {%- do adapter.commit() -%}
    {%- do hand_over(misplaced_objects(accounts)) -%}
{%- endmacro %}

{#- To be dropped: if the owner replaced a routine of somebody else, it would stay theirs. -#}
{% macro _foreign_routines_of_logs() -%}
    {%- set statements = [] -%}
    {%- for row in run_query(
        "select 'drop routine ' || oid::regprocedure || ';' from pg_proc"
        " where proowner <> current_user::regrole and oid::regprocedure::text in ("
        "'dwh.insert_procedure_error(text,text,text,text,text)',"
        " 'dwh.refresh_daily_step_total(date)', 'dwh.purge_logs(interval,interval,bigint,jsonb)')"
    ) -%}
        {%- do statements.append(row[0]) -%}
    {%- endfor -%}
    {{ return(statements) }}
{%- endmacro %}

{% macro _record(accounts, granted_as) -%}
    update mrr_state.role_account
    set warehouse_role = 'former';
    delete from mrr_state.role_account
    where
        account_name in (select account_name from {{ accounts_of_roles(accounts) }})
        or account_name not in (select rolname from pg_roles);
    insert into mrr_state.role_account (warehouse_role, account_name, granted_as)
    select
        accounts.warehouse_role,
        accounts.account_name,
        '{{ granted_as }}'
    from {{ accounts_of_roles(accounts) }};
{%- endmacro %}
