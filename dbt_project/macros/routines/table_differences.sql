{% macro table_differences() %}
create or replace function mrr_state.table_differences(p_target regclass, p_built regclass)
    returns table (kind text, description text)
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

    columns as (
        select
            coalesce(known.attname, wanted.attname) as column_name,
            known.attname is null as is_new,
            wanted.attname is null as is_gone,
            known.attnotnull as was_not_null,
            wanted.attnotnull as is_not_null,
            format_type(known.atttypid, known.atttypmod) as known_type,
            format_type(wanted.atttypid, wanted.atttypmod) as wanted_type,
            known.attcollation::regcollation::text as known_collation,
            wanted.attcollation::regcollation::text as wanted_collation
        from known
        full join wanted
            on known.attname = wanted.attname
    ),

    constraints as (
        select
            conrelid,
            pg_get_constraintdef(oid) as definition
        from pg_constraint
        where conrelid in (p_target, p_built) and contype <> 'n'
    ),

    missing as (
        select definition from constraints where conrelid = p_built
        except
        select definition from constraints where conrelid = p_target
    ),

    surplus as (
        select definition from constraints where conrelid = p_target
        except
        select definition from constraints where conrelid = p_built
    )

    select
        'column',
        format('it has no column %I', column_name)
    from columns
    where is_new
    union all
    select
        'column',
        format('it still has the column %I', column_name)
    from columns
    where is_gone
    union all
    select
        'type',
        format('%I is %s and not %s', column_name, known_type, wanted_type)
    from columns
    where known_type <> wanted_type
    union all
    select
        'type',
        format('%I has the collation %s and not %s', column_name, known_collation, wanted_collation)
    from columns
    where known_collation <> wanted_collation
    union all
    select
        'null',
        format(
            case
                when is_not_null then '%I may be null' else '%I is not null, and may be'
            end,
            column_name
        )
    from columns
    where was_not_null <> is_not_null
    union all
    select
        'constraint',
        'it has no ' || definition
    from missing
    union all
    select
        'surplus',
        'it still has ' || definition
    from surplus
$body$;

comment on function mrr_state.table_differences is
    'How a table differs from what was built beside it: `column`, `type`, `null`, a `constraint` that'
    ' it lacks, or a `surplus` one.';
{% endmacro %}
