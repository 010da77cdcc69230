-- The accounts of the roles (docs/roles.md), and what one of them does for another one. Such a
-- function runs with the rights of its owner, the owner of the warehouse: it does one thing, and
-- its names are qualified.

-- `granted_as` is a digest of the macros by which the privileges were granted.
create table mrr_state.role_account (
    warehouse_role text primary key check (
        warehouse_role in ('loader', 'transformer', 'analyst', 'backup')
    ),
    account_name text not null unique,
    granted_as text not null,
    granted_at timestamptz not null default clock_timestamp()
);

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

revoke execute on function mrr_state.lock_changes from public;
revoke execute on function mrr_state.analyze_changes from public;
revoke execute on function mrr_state.drop_staging_views from public;
