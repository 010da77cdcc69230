-- The grants, options and comments of a relation that is dropped to be created again, as the
-- statements that restore them. They are kept until the relation exists again.

create table mrr_state.relation_property (
    relation_property_id bigint generated always as identity primary key,
    relation_name text not null,
    restoring_statement text not null
);

create function mrr_state.remember_properties(p_relation regclass)
returns void
language sql
set search_path = pg_catalog
as $body$
    with relation as (
        select
            pg_class.*,
            case pg_class.relkind
                when 'v' then 'view'
                when 'm' then 'materialized view'
                else 'table'
            end as relation_type
        from pg_class
        where pg_class.oid = p_relation
    ),

    privileges as (
        select
            null as column_name,
            granted.*
        from relation
        cross join lateral aclexplode(relation.relacl) as granted
        union all
        select
            quote_ident(pg_attribute.attname) as column_name,
            granted.*
        from pg_attribute
        cross join lateral aclexplode(pg_attribute.attacl) as granted
        where pg_attribute.attrelid = p_relation
    ),

    statements as (
        select format(
            'grant %s on %s to %s%s',
            concat_ws(' ', privileges.privilege_type, '(' || privileges.column_name || ')'),
            p_relation,
            case
                when privileges.grantee = 0 then 'public'
                else quote_ident(pg_get_userbyid(privileges.grantee))
            end,
            case when privileges.is_grantable then ' with grant option' end
        ) as restoring_statement
        from privileges
        inner join relation
            on privileges.grantee <> relation.relowner
        union all
        select format(
            'alter %s %s set (%s)',
            relation.relation_type, p_relation, array_to_string(relation.reloptions, ', ')
        )
        from relation
        where relation.reloptions is not null
        union all
        select case
            when described.objsubid = 0
                then format(
                    'comment on %s %s is %L',
                    relation.relation_type, p_relation, described.description
                )
            else format(
                'comment on column %s.%I is %L',
                p_relation, pg_attribute.attname, described.description
            )
        end
        from relation
        inner join pg_description as described
            on relation.oid = described.objoid and described.classoid = 'pg_class'::regclass
        left join pg_attribute
            on relation.oid = pg_attribute.attrelid and described.objsubid = pg_attribute.attnum
    ),

    forgotten as (
        delete from mrr_state.relation_property
        where relation_property.relation_name = p_relation::text
    )

    insert into mrr_state.relation_property (relation_name, restoring_statement)
    select
        p_relation::text,
        statements.restoring_statement
    from statements;
$body$;

comment on function mrr_state.remember_properties is
'Notes what a relation that is about to be dropped gets back when it is made again.';
