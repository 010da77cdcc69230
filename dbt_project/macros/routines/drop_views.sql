{% macro drop_views() %}
create or replace function mrr_state.drop_views(p_relation regclass, p_own text[])
    returns void
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $body$
declare
    v_view regclass;
begin
    -- the topmost first
    for v_view in
        with recursive above as (
            select
                p_relation::oid as relation,
                0 as height
            union
            select
                pg_rewrite.ev_class,
                above.height + 1
            from above
            inner join pg_depend
                on above.relation = pg_depend.refobjid
                and pg_depend.refclassid = 'pg_class'::regclass
                and pg_depend.classid = 'pg_rewrite'::regclass
            inner join pg_rewrite
                on pg_depend.objid = pg_rewrite.oid and above.relation <> pg_rewrite.ev_class
            where pg_rewrite.ev_class in (select to_regclass(own) from unnest(p_own) as own)
        )

        select relation
        from above
        where relation <> p_relation
        group by relation
        order by max(height) desc
    loop
        perform mrr_state.lock_relation(v_view, 'access exclusive');
        perform mrr_state.remember_properties(v_view);
        execute format('drop view %s', v_view);
    end loop;
end
$body$;

comment on function mrr_state.drop_views is
    'Drops the views above a relation that the same build creates again, and keeps their grants.';
{% endmacro %}
