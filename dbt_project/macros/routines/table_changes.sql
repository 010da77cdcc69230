{% macro table_changes() %}
create or replace function mrr_state.table_changes(p_target regclass, p_built regclass)
    returns table (change_order text, statement text)
    language sql
    stable
    set search_path = pg_catalog, pg_temp
as $body$
    with known as (
        select * from pg_attribute
        where attrelid = p_target and attnum > 0 and not attisdropped
    ),

    wanted as (
        select * from pg_attribute
        where attrelid = p_built and attnum > 0 and not attisdropped
    ),

    differing as (
        select 1
        from mrr_state.table_differences(p_target, p_built) as differences
        where differences.kind in ('type', 'constraint', 'surplus')
        union all
        select 1
        from pg_class as target
        inner join pg_class as built
            on p_built = built.oid
        where
            p_target = target.oid
            -- whether it is partitioned is compared apart: what is built is not
            and (target.relkind not in ('r', 'p') or target.relpersistence <> built.relpersistence)
    ),

    columns as (
        select
            coalesce(known.attname, wanted.attname) as column_name,
            format_type(wanted.atttypid, wanted.atttypmod) as column_type,
            known.attname is null as is_new,
            wanted.attname is null as is_gone,
            coalesce(known.attnotnull, false) as was_not_null,
            coalesce(wanted.attnotnull, false) as is_not_null,
            wanted.attcollation
        from known
        full join wanted
            on known.attname = wanted.attname
    )

    select
        'replace',
        null
    where exists (select from differing)
    union all
    select
        'before',
        format('alter table %s add column %I %s', p_target, column_name, column_type)
        || coalesce(
            ' collate ' || nullif(attcollation, 0)::regcollation::text, ''
        )
    from columns
    where is_new
    union all
    select
        'before',
        format('alter table %s alter column %I drop not null', p_target, column_name)
    from columns
    where was_not_null and not is_not_null
    union all
    select
        'after',
        format('alter table %s drop column %I', p_target, column_name)
    from columns
    where is_gone
    union all
    select
        'after',
        format('alter table %s alter column %I set not null', p_target, column_name)
    from columns
    where is_not_null and not was_not_null
$body$;

comment on function mrr_state.table_changes is
    'The statements that give a table the columns of another one: those to run before its rows are'
    ' changed, and those to run after. Returns `replace` if the table must be replaced.';
{% endmacro %}
