{% macro replace_relation() %}
create or replace function mrr_state.replace_relation(
    p_target regclass, p_built regclass, p_own text[]
)
    returns void
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $body$
declare
    v_target text := p_target::text;
    v_parts oid[] := array(
        select p_target
        union
        select inhrelid from pg_inherits where inhparent = p_target
    );
    v_schema text;
    v_name name;
    v_part name;
    v_attached text[];
    v_relation regclass;
    v_kind text;
    v_detail text;
begin
    -- what PostgreSQL would drop with the relation, even without CASCADE
    select array_agg(attached.description)
    into v_attached
    from (
        select 'policy ' || polname as description from pg_policy where polrelid = any(v_parts)
        union all
        select 'row security' from pg_class where oid = any(v_parts) and relrowsecurity
        union all
        select 'trigger ' || tgname from pg_trigger where tgrelid = any(v_parts) and not tgisinternal
        union all
        select 'rule ' || rulename
        from pg_rewrite
        where ev_class = any(v_parts) and rulename <> '_RETURN'
        union all
        select 'statistics ' || stxname from pg_statistic_ext where stxrelid = any(v_parts)
        union all
        select 'publication ' || pubname
        from pg_publication_rel
        inner join pg_publication
            on pg_publication_rel.prpubid = pg_publication.oid
        where prrelid = any(v_parts)
    ) as attached;
    if v_attached is not null then
        perform mrr_state.refuse_change(v_target, 'replacing it would drop', v_attached);
    end if;

    perform mrr_state.drop_views(p_target, p_own);
    perform mrr_state.lock_relation(p_target, 'access exclusive');
    perform mrr_state.remember_properties(relation) from unnest(v_parts) as relation;
    select
        relnamespace::regnamespace,
        relname,
        (pg_identify_object('pg_class'::regclass, oid, 0)).type
    into v_schema, v_name, v_kind
    from pg_class
    where oid = p_target;
    execute format('drop %s %s', v_kind, p_target);

    -- its partitions have names that begin with its own
    for v_relation, v_part in
        select
            partition.oid,
            v_name || substr(partition.relname, length(built.relname) + 1)
        from pg_inherits
        inner join pg_class as partition
            on pg_inherits.inhrelid = partition.oid
        inner join pg_class as built
            on pg_inherits.inhparent = built.oid
        where built.oid = p_built
    loop
        perform mrr_state.refuse_detached(v_target, format('%s.%I', v_schema, v_part));
        execute format('alter table %s rename to %I', v_relation, v_part);
        perform mrr_state.restore_properties(v_relation);
    end loop;
    execute format('alter table %s rename to %I', p_built, v_name);
    perform mrr_state.restore_properties(p_built);
exception
    when dependent_objects_still_exist then
        get stacked diagnostics v_detail = pg_exception_detail;
        if v_detail = '' then
            raise;
        end if;
        perform mrr_state.refuse_change(
            v_target, 'replacing it would drop', regexp_split_to_array(v_detail, '\n')
        );
end
$body$;

comment on function mrr_state.replace_relation is
    'Replaces a relation by the one that was built beside it, and keeps its grants.';
{% endmacro %}
