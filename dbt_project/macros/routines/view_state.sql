{% macro view_state() %}
create or replace function mrr_state.view_state(p_target text, p_probe text)
    returns text
    language sql
    stable
    set search_path = pg_catalog, pg_temp
as $body$
    with described as (
        select
            attribute.attrelid as relation_oid,
            attribute.attnum as column_number,
            (
                attribute.attname,
                attribute.atttypid,
                attribute.atttypmod,
                attribute.attcollation
            )::text as description
        from pg_attribute as attribute
        where
            attribute.attrelid in (to_regclass(p_target), to_regclass(p_probe))
            and attribute.attnum > 0
    ),

    known as (
        select
            column_number,
            description
        from described
        where relation_oid = to_regclass(p_target)
    ),

    wanted as (
        select
            column_number,
            description
        from described
        where relation_oid = to_regclass(p_probe)
    )

    select case
        when relations.oid is null then 'missing'
        when relations.relkind <> 'v' then 'other'
        when exists (select from (table known except table wanted) as gone) then 'other'
        when exists (select from (table wanted except table known) as added) then 'replaceable'
        when pg_get_viewdef(relations.oid) = pg_get_viewdef(to_regclass(p_probe)) then 'unchanged'
        else 'replaceable'
    end
    from (select to_regclass(p_target) as oid) as named
    left join pg_class as relations
        on named.oid = relations.oid
$body$;

comment on function mrr_state.view_state is
    'How a view compares with the one of its model: missing, unchanged, replaceable or other.';
{% endmacro %}
