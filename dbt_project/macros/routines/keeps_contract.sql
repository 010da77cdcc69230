{% macro keeps_contract() %}
create or replace function mrr_state.keeps_contract(p_built regclass, p_types jsonb)
    returns boolean
    language sql
    stable
    set search_path = pg_catalog, pg_temp
as $body$
    select not exists (
        select 1
        from jsonb_each_text(p_types) as declared (column_name, type_name)
        full join (
            select * from pg_attribute
            where attrelid = p_built and attnum > 0 and not attisdropped
        ) as found
            on declared.column_name = found.attname
        where
            found.atttypid is distinct from to_regtype(declared.type_name)
            -- a key in stg keeps the type of the mirror, whose index a cast would not use
            and (
                found.atttypid in ('int2'::regtype, 'int4'::regtype)
                and to_regtype(declared.type_name) = 'int8'::regtype
            ) is not true
    )
$body$;

comment on function mrr_state.keeps_contract is
    'True if a view has the columns and types that are declared; an integer type may be narrower.';
{% endmacro %}
