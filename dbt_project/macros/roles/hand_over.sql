{#- Gives the relations and routines of the owner of the warehouse to the roles that change them: all
    that a single account, or a restore, has made. What belongs to anybody else is left alone. To
    change the owner locks the relation, so each change is committed. -#}
{% macro hand_over(accounts, owners) -%}
    {%- for row in run_query(_changes_of_owner(accounts, owners)) -%}
        {%- call statement(auto_begin=true) -%}
            {{ row[0] }}
        {%- endcall -%}
        {%- do adapter.commit() -%}
    {%- endfor -%}
{%- endmacro %}

{% macro _changes_of_owner(accounts, owners) -%}
    {%- set control = [] -%}
    {%- for table in control_tables() -%}
        {%- do control.append(table.identifier) -%}
    {%- endfor -%}
    with owned as (
        select
            pg_namespace.nspname as schema_name,
            'schema' as kind,
            quote_ident(pg_namespace.nspname) as object_name,
            pg_namespace.nspowner as owned_by,
            'loader' as warehouse_role
        from pg_namespace
        where pg_namespace.nspname ~ '^mrr_landing'
        union all
        select
            pg_namespace.nspname,
            (pg_identify_object('pg_class'::regclass, pg_class.oid, 0)).type,
            pg_class.oid::regclass::text,
            pg_class.relowner,
            case when pg_namespace.nspname ~ '^mrr' then 'loader' else 'transformer' end
        from pg_class
        inner join pg_namespace
            on pg_class.relnamespace = pg_namespace.oid
        where
            pg_class.relkind in ('r', 'p', 'v', 'm', 'S')
            and (
                pg_namespace.nspname in ('mrr', 'stg')
                or pg_namespace.nspname ~ '^mrr_landing'
                or (
                    pg_namespace.nspname = 'dwh'
                    and pg_class.relname <> all({{ text_array(control) }})
                )
            )
            -- a sequence of a column belongs to the table
            and not exists (
                select from pg_depend
                where
                    pg_depend.classid = 'pg_class'::regclass
                    and pg_depend.objid = pg_class.oid
                    and pg_class.relkind = 'S'
                    and pg_depend.deptype in ('a', 'i')
            )
        union all
        select
            pg_namespace.nspname,
            'routine',
            pg_proc.oid::regprocedure::text,
            pg_proc.proowner,
            'transformer'
        from pg_proc
        inner join pg_namespace
            on pg_proc.pronamespace = pg_namespace.oid
        where
            pg_namespace.nspname = 'dwh'
            or (
                pg_namespace.nspname = 'mrr_state'
                and pg_proc.proname <> all({{ text_array(_routines_of_owner()) }})
            )
    )

    select format('alter %s %s owner to %I', owned.kind, owned.object_name, accounts.account_name)
    from owned
    inner join jsonb_each_text('{{ tojson(accounts) | replace("'", "''") }}') as accounts (
        warehouse_role, account_name
    )
        on owned.warehouse_role = accounts.warehouse_role
    where
        pg_get_userbyid(owned.owned_by) = any({{ text_array(owners) }})
        and pg_get_userbyid(owned.owned_by) <> accounts.account_name
    order by owned.schema_name, owned.object_name
{%- endmacro %}

{#- Those of the migrations; the others in `mrr_state` are installed by dbt. -#}
{% macro _routines_of_owner() -%}
    {{ return([
        'remember_properties', 'relation_states', 'versions_of',
        'lock_changes', 'analyze_changes', 'drop_staging_views',
    ]) }}
{%- endmacro %}
