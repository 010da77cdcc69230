-- The accounts of the roles (docs/roles.md), and what one of them does for another one. Such a
-- function runs with the rights of its owner, the owner of the warehouse: it does one thing, and
-- its names are qualified.

-- `granted_as` is a digest of the macros by which the privileges were granted. An account that has
-- no role any more is `former`: a restore may bring back what it had, to be taken away again.
create table mrr_state.role_account (
    account_name text primary key,
    warehouse_role text not null check (
        warehouse_role in ('loader', 'transformer', 'analyst', 'backup', 'former')
    ),
    granted_as text not null,
    granted_at timestamptz not null default clock_timestamp()
);
create unique index role_account_role on mrr_state.role_account (warehouse_role)
where warehouse_role <> 'former';

-- What they call must not find a caller's temporary object in place of one of the catalog: if
-- pg_temp is not named, it comes first.
do $body$
declare
    v_routine regprocedure;
begin
    foreach v_routine in array array[
        'mrr_state.remember_properties(regclass)', 'mrr_state.relation_states(text[])',
        'mrr_state.versions_of(text[], text[])'
    ]::regprocedure[] loop
        execute format('alter function %s set search_path = pg_catalog, pg_temp', v_routine);
    end loop;
end
$body$;

-- A transformer waits for changes that are not committed yet; PostgreSQL lets nobody lock a table
-- in this mode who may not change it.
create function mrr_state.lock_changes()
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $body$
begin
    lock table mrr_state.change_log in share mode;
end
$body$;

comment on function mrr_state.lock_changes is
'Locks the change log until the transaction ends: nobody has changes that are not committed.';

-- Before version 17, only the owner of a table may analyze it.
create function mrr_state.analyze_changes()
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $body$
begin
    analyze mrr_state.change_log;
end
$body$;

comment on function mrr_state.analyze_changes is
'Analyzes the change log, so that PostgreSQL knows how many changes there are.';

-- A loader changes the type of a column under views that belong to a transformer.
create function mrr_state.drop_staging_views(p_table regclass)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_view regclass;
    v_views text;
begin
    if (select relnamespace from pg_class where oid = p_table) <> 'mrr'::regnamespace then
        raise exception using
            errcode = 'insufficient_privilege',
            message = format('%s: not a table of the mirror', p_table),
            hint = 'Drop views that use other tables yourself.';
    end if;

    for v_view in
        with recursive above as (
            select p_table::oid as relation
            union
            select pg_rewrite.ev_class
            from above
            inner join pg_depend
                on
                    above.relation = pg_depend.refobjid
                    and pg_depend.refclassid = 'pg_class'::regclass
                    and pg_depend.classid = 'pg_rewrite'::regclass
            inner join pg_rewrite
                on pg_depend.objid = pg_rewrite.oid
        )

        select pg_class.oid
        from above
        inner join pg_class
            on above.relation = pg_class.oid
        where pg_class.relnamespace = 'stg'::regnamespace and pg_class.relkind = 'v'
    loop
        perform mrr_state.remember_properties(v_view);
        v_views := concat_ws(', ', v_views, v_view::text);
    end loop;
    if v_views is not null then
        execute 'drop view ' || v_views;
    end if;
end
$body$;

comment on function mrr_state.drop_staging_views is
'Drops the views of stg above a table of the mirror, and notes what they get back when they are'
' made again.';

-- All that a single account or a restore has made in the layers, or an account that was a role's
-- before, and that another account is to have: that of a role, or the owner's if such a role has no
-- account any more. What belongs to anybody else is left alone.
create function mrr_state.misplaced_objects(p_accounts jsonb, p_control_tables text[])
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
                pg_namespace.nspname = 'dwh'
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

comment on function mrr_state.misplaced_objects is
'The objects of the layers that are to belong to another account, and to which one.';

revoke execute on function mrr_state.lock_changes from public;
revoke execute on function mrr_state.analyze_changes from public;
revoke execute on function mrr_state.drop_staging_views from public;
