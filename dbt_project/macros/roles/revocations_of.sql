{#- The statements that take away what the accounts of the roles have in the layers, and what those
    have that were a role's before; from the latter, also what they have in `dwh` and in the database.
    What somebody has passed on goes with it. What an account owns is left to it. -#}
{% macro revocations_of(accounts) -%}
    {%- set statements = [] -%}
    {%- for row in run_query(_revocations(accounts)) -%}
        {%- do statements.append(row[0] ~ ';') -%}
    {%- endfor -%}
    {{ return(statements) }}
{%- endmacro %}

{% macro _revocations(accounts) -%}
    with accounts as (
        select
            pg_roles.oid,
            pg_roles.rolname,
            accounts.warehouse_role
        from {{ accounts_of_roles(accounts) }}
        inner join pg_roles
            on accounts.account_name = pg_roles.rolname
        union
        select
            pg_roles.oid,
            pg_roles.rolname,
            'none'
        from mrr_state.role_account
        inner join pg_roles
            on role_account.account_name = pg_roles.rolname
        where role_account.account_name not in (
            select accounts.account_name from {{ accounts_of_roles(accounts) }}
        )
    ),

    schemas as (
        select *
        from pg_namespace
        where nspname in ('mrr', 'mrr_state', 'mrr_forgotten', 'stg', 'dwh')
    ),

    granted as (
        select
            'database' as kind,
            quote_ident(datname) as object_name,
            datdba as owned_by,
            datacl as privileges,
            'none' as schema_name
        from pg_database
        where datname = current_database()
        union all
        select
            'schema',
            quote_ident(nspname),
            nspowner,
            nspacl,
            nspname
        from schemas
        union all
        select
            case pg_class.relkind when 'S' then 'sequence' else 'table' end,
            pg_class.oid::regclass::text,
            pg_class.relowner,
            privileges.items,
            schemas.nspname
        from pg_class
        inner join schemas
            on pg_class.relnamespace = schemas.oid
        cross join lateral (
            select pg_class.relacl as items
            union all
            select pg_attribute.attacl
            from pg_attribute
            where pg_attribute.attrelid = pg_class.oid
        ) as privileges
        where pg_class.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
        union all
        select
            'routine',
            pg_proc.oid::regprocedure::text,
            pg_proc.proowner,
            pg_proc.proacl,
            schemas.nspname
        from pg_proc
        inner join schemas
            on pg_proc.pronamespace = schemas.oid
    ),

    revoked as (
        select
            format(
                'revoke all on %s %s from %I cascade',
                granted.kind, granted.object_name, accounts.rolname
            ) as statement
        from granted
        cross join lateral aclexplode(granted.privileges) as items
        inner join accounts
            on items.grantee = accounts.oid
        where
            items.grantee <> granted.owned_by
            and pg_has_role(granted.owned_by, 'usage')
            and (granted.kind <> 'database' or accounts.warehouse_role = 'none')
            -- grant_to_analyst takes away what is too much there
            and not (
                accounts.warehouse_role = 'analyst'
                and granted.kind = 'table'
                and granted.schema_name = 'dwh'
            )
        union
        select format(
            'alter default privileges for role %I%s revoke all on %s from %I',
            pg_get_userbyid(pg_default_acl.defaclrole),
            ' in schema ' || pg_default_acl.defaclnamespace::regnamespace::text,
            case pg_default_acl.defaclobjtype
                when 'r' then 'tables'
                when 'S' then 'sequences'
                when 'f' then 'routines'
            end,
            accounts.rolname
        )
        from pg_default_acl
        inner join schemas
            on pg_default_acl.defaclnamespace = schemas.oid
        cross join lateral aclexplode(pg_default_acl.defaclacl) as items
        inner join accounts
            on items.grantee = accounts.oid
        where
            pg_default_acl.defaclobjtype in ('r', 'S', 'f')
            and pg_has_role(pg_default_acl.defaclrole, 'usage')
    )

    select statement
    from revoked
    order by statement
{%- endmacro %}
