{#- PostgreSQL revokes the privileges on columns with that on the table, so what is wanted of such a
    relation is granted again. The rows of a partitioned table can be read in its partitions too. -#}
{% macro grant_to_analyst() %}
create or replace function mrr_state.grant_to_analyst(p_relation regclass, p_withheld text[])
    returns void
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $body$
declare
    v_analyst regrole := (
        select pg_roles.oid
        from mrr_state.role_account
        inner join pg_roles
            on role_account.account_name = pg_roles.rolname
        where role_account.warehouse_role = 'analyst'
    );
    v_statement text;
    v_other record;
begin
    if v_analyst is null or p_relation is null then
        return;
    end if;

    for v_statement in
        with parts as (
            select
                pg_class.oid as relation,
                pg_class.relacl
            from pg_class
            where
                pg_class.oid = p_relation
                or pg_class.oid in (select relid from pg_partition_tree(p_relation))
        ),

        columns as (
            select
                pg_attribute.attrelid as relation,
                pg_attribute.attname as column_name,
                pg_attribute.attacl
            from parts
            inner join pg_attribute
                on parts.relation = pg_attribute.attrelid
            where pg_attribute.attnum > 0 and not pg_attribute.attisdropped
        ),

        granted as (
            select
                parts.relation,
                null::name as column_name,
                items.privilege_type
            from parts
            cross join lateral aclexplode(parts.relacl) as items
            where items.grantee = v_analyst
            union all
            select
                columns.relation,
                columns.column_name,
                items.privilege_type
            from columns
            cross join lateral aclexplode(columns.attacl) as items
            where items.grantee = v_analyst
        ),

        wanted as (
            select
                parts.relation,
                null::name as column_name,
                'SELECT' as privilege_type
            from parts
            where p_withheld = '{}'
            union all
            select
                columns.relation,
                columns.column_name,
                'SELECT'
            from columns
            where p_withheld <> '{}' and columns.column_name <> all(p_withheld)
        ),

        surplus as (
            select * from granted
            except
            select * from wanted
        ),

        lacking as (
            select * from wanted
            except
            select * from granted
            where granted.relation not in (
                select surplus.relation from surplus where surplus.column_name is null
            )
        ),

        changes as (
            select
                1 as step,
                'revoke' as verb,
                surplus.*
            from surplus
            union all
            select
                2 as step,
                'grant' as verb,
                lacking.*
            from lacking
        )

        select format(
            '%s %s on %s %s %s %s',
            changes.verb,
            concat(changes.privilege_type, ' (' || quote_ident(changes.column_name) || ')'),
            changes.relation::regclass,
            case changes.verb when 'grant' then 'to' else 'from' end,
            v_analyst,
            case changes.verb when 'revoke' then 'cascade' end
        )
        from changes
        order by changes.step
    loop
        execute v_statement;
    end loop;

    for v_other in
        select
            pg_class.oid::regclass as relation,
            string_agg(distinct quote_ident(pg_attribute.attname), ', ') as column_names,
            case
                when items.grantee = 0 then 'public'
                else quote_ident(pg_get_userbyid(items.grantee))
            end as grantee,
            quote_ident(pg_get_userbyid(items.grantor)) as grantor
        from pg_class
        inner join pg_attribute
            on pg_class.oid = pg_attribute.attrelid
        cross join lateral (
            select * from aclexplode(pg_class.relacl)
            union all
            select * from aclexplode(pg_attribute.attacl)
        ) as items
        where
            (
                pg_class.oid = p_relation
                or pg_class.oid in (select relid from pg_partition_tree(p_relation))
            )
            and pg_attribute.attnum > 0
            and not pg_attribute.attisdropped
            and (p_withheld is null or pg_attribute.attname = any(p_withheld))
            and items.privilege_type = 'SELECT'
            and (items.grantee = 0 or pg_has_role(v_analyst, items.grantee, 'usage'))
        group by 1, 3, 4
    loop
        raise warning '%: the role analyst reads %, which % has granted to %',
            v_other.relation, v_other.column_names, v_other.grantor, v_other.grantee
            using hint = 'Tidemark withholds these columns, but cannot revoke that.';
    end loop;
end
$body$;

comment on function mrr_state.grant_to_analyst(regclass, text []) is
    'Lets the role analyst read a relation but for some columns, and do nothing else with it; if'
    ' these columns are null, it may not read the relation at all. If there is no such role, nothing'
    ' is granted.';
{% endmacro %}
