{% macro describe_relation() %}
create or replace function mrr_state.describe_relation(p_relation regclass, p_comments jsonb)
    returns void
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $body$
declare
    v_statement text;
begin
    for v_statement in
        select case
            when wanted.column_name = '' then format(
                'comment on %s %s is %L',
                (pg_identify_object('pg_class'::regclass, p_relation, 0)).type,
                p_relation,
                wanted.description
            )
            else format(
                'comment on column %s.%I is %L',
                p_relation, wanted.column_name, wanted.description
            )
        end
        from jsonb_each_text(p_comments) as wanted (column_name, description)
        inner join pg_class as relation
            on p_relation = relation.oid
        left join pg_attribute
            on
                relation.oid = pg_attribute.attrelid
                and wanted.column_name = pg_attribute.attname
                and not pg_attribute.attisdropped
        left join pg_description as known
            on
                relation.oid = known.objoid
                and known.classoid = 'pg_class'::regclass
                and known.objsubid = coalesce(pg_attribute.attnum, 0)
        where
            (wanted.column_name = '' or pg_attribute.attnum > 0)
            and wanted.description is distinct from known.description
    loop
        execute v_statement;
    end loop;
exception
    -- a comment waits for VACUUM and CREATE INDEX, not for readers; the next build writes it
    when lock_not_available then
        raise warning '%: in use, its comments are left as they were', p_relation;
end
$body$;

comment on function mrr_state.describe_relation is
    'Writes those comments of a relation and its columns that differ; none of them if the relation'
    ' is locked.';
{% endmacro %}
