-- Views of stg call functions there, which belong to the transformer, as those of dwh do. A restore
-- makes them as its own account, and then hands them over.
create or replace function mrr_state.misplaced_objects(p_accounts jsonb, p_control_tables text[])
returns table (kind text, object_name text, account_name text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $body$
    with owned as (
        select
            'schema' as kind,
            quote_ident(pg_namespace.nspname) as object_name,
            pg_namespace.nspowner as owned_by,
            'loader' as warehouse_role
        from pg_namespace
        where pg_namespace.nspname ~ '^mrr_landing'
        union all
        select
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
                    and pg_class.relname <> all(p_control_tables)
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
            'routine',
            pg_proc.oid::regprocedure::text,
            pg_proc.proowner,
            'transformer'
        from pg_proc
        inner join pg_namespace
            on pg_proc.pronamespace = pg_namespace.oid
        where
            (
                pg_namespace.nspname in ('stg', 'dwh')
                -- those that a loader calls
                and pg_proc.oid::regprocedure::text not in (
                    'dwh.insert_procedure_error(text,text,text,text,text)',
                    'dwh.refresh_daily_step_total(date)',
                    'dwh.purge_logs(interval,interval,bigint,jsonb)'
                )
            )
            or (
                pg_namespace.nspname = 'mrr_state'
                -- those of the migrations; dbt installs the others
                and pg_proc.proname <> all(array[
                    'remember_properties', 'relation_states', 'versions_of', 'lock_changes',
                    'analyze_changes', 'drop_staging_views', 'misplaced_objects'
                ])
            )
    ),

    owner_of_layers as (
        select pg_get_userbyid(nspowner) as account_name
        from pg_namespace
        where nspname = 'mrr_state'
    ),

    former as (
        select account_name
        from mrr_state.role_account
        where account_name not in (select value from jsonb_each_text(p_accounts))
    ),

    -- whose objects may be handed over to a role
    owners as (
        select account_name from owner_of_layers
        union
        select account_name from mrr_state.role_account
        union
        select pg_get_userbyid(nspowner) from pg_namespace where nspname in ('mrr', 'stg', 'dwh')
        union
        select current_user
    )

    select
        owned.kind,
        owned.object_name,
        coalesce(p_accounts ->> owned.warehouse_role, owner_of_layers.account_name)
    from owned
    cross join owner_of_layers
    where
        pg_get_userbyid(owned.owned_by)
        <> coalesce(p_accounts ->> owned.warehouse_role, owner_of_layers.account_name)
        and (
            pg_get_userbyid(owned.owned_by) in (select account_name from former)
            or (
                p_accounts ? owned.warehouse_role
                and pg_get_userbyid(owned.owned_by) in (select account_name from owners)
            )
        )
    order by owned.kind, owned.object_name
$body$;
