-- What dbt has built and tested, of which code and of which rows. A run works again on the nodes
-- whose outcome can differ from that.

-- Raised with every change of the rows of a mirrored table, in the same transaction.
create table mrr_state.mirror_version (
    table_name text primary key,
    mirror_version bigint not null
);

create sequence mrr_state.build_version;

-- The last build of a node, written in the transaction that builds it; of a test, the last one that
-- passed. `fingerprint` is null if the node has to be built or tested again in any case.
create table mrr_state.built_node (
    unique_id text primary key,
    fingerprint text,
    code_digest text,
    relation_state text,
    partitions jsonb,
    rows_written bigint,
    build_version bigint not null default nextval('mrr_state.build_version'),
    previous_version bigint,
    inputs jsonb not null,
    built_on date not null,
    built_at timestamptz not null default clock_timestamp()
);

-- What a relation is, apart from its rows: another one if it was dropped and created again,
-- truncated or rewritten, or if its columns, constraints or query were changed. Its partitions,
-- each with its file, which is another one after a TRUNCATE. And how many rows were ever written to
-- it, as far as the statistics of the server tell.
create function mrr_state.relation_states(p_relation_names text[])
returns table (
    relation_name text, relation_state text, partitions jsonb, rows_written bigint
)
language sql
stable
set search_path = pg_catalog
as $body$
    with recursive parts as (
        select
            names.relation_name,
            to_regclass(names.relation_name)::oid as relation,
            true as is_root
        from unnest(p_relation_names) as names (relation_name)
        union
        select
            parts.relation_name,
            pg_inherits.inhrelid,
            false
        from parts
        inner join pg_inherits
            on parts.relation = pg_inherits.inhparent
    ),

    relations as (
        select
            parts.relation_name,
            parts.is_root,
            pg_class.oid as relation,
            pg_class.relkind,
            pg_class.relfilenode
        from parts
        inner join pg_class
            on parts.relation = pg_class.oid
    ),

    files as (
        select
            relations.relation_name,
            coalesce(
                jsonb_object_agg(relations.relation, relations.relfilenode)
                filter (where not relations.is_root),
                '{}'::jsonb
            ) as partitions,
            sum(
                pg_stat_get_tuples_inserted(relations.relation)
                + pg_stat_get_tuples_updated(relations.relation)
                + pg_stat_get_tuples_deleted(relations.relation)
            )::bigint as rows_written
        from relations
        group by relations.relation_name
    ),

    facts as (
        select
            relations.relation_name,
            (relations.relation, relations.relkind, relations.relfilenode)::text as fact
        from relations
        where relations.is_root
        union all
        select
            relations.relation_name,
            (
                pg_attribute.attnum, pg_attribute.attname, pg_attribute.atttypid,
                pg_attribute.atttypmod, pg_attribute.attcollation, pg_attribute.attnotnull
            )::text
        from relations
        inner join pg_attribute
            on relations.relation = pg_attribute.attrelid
        where relations.is_root and pg_attribute.attnum > 0 and not pg_attribute.attisdropped
        union all
        select
            relations.relation_name,
            (pg_constraint.oid, pg_constraint.convalidated)::text
        from relations
        inner join pg_constraint
            on relations.relation = pg_constraint.conrelid
        where relations.is_root
        union all
        select
            relations.relation_name,
            pg_rewrite.ev_action::text
        from relations
        inner join pg_rewrite
            on relations.relation = pg_rewrite.ev_class
    )

    select
        facts.relation_name,
        md5(string_agg(facts.fact, ' ' order by facts.fact collate "C")),
        files.partitions,
        files.rows_written
    from facts
    inner join files
        on facts.relation_name = files.relation_name
    group by facts.relation_name, files.partitions, files.rows_written
$body$;

comment on function mrr_state.relation_states is
'What relations are, apart from their rows, each as a digest, and how many rows were written to'
' them. Those that do not exist are left out.';

create function mrr_state.versions_of(p_unique_ids text[], p_tables text[])
returns jsonb
language sql
stable
set search_path = pg_catalog
as $body$
    select coalesce(jsonb_object_agg(versions.input, versions.version), '{}'::jsonb)
    from (
        select
            nodes.unique_id as input,
            built_node.build_version::text as version
        from unnest(p_unique_ids) as nodes (unique_id)
        left join mrr_state.built_node
            on nodes.unique_id = built_node.unique_id
        union all
        select
            'mrr.' || tables.table_name,
            concat_ws(' ', coalesce(mirror_version.mirror_version, 0), states.relation_state)
        from unnest(p_tables) as tables (table_name)
        left join mrr_state.mirror_version
            on tables.table_name = mirror_version.table_name
        left join mrr_state.relation_states(
            array(
                select format('mrr.%I', names.table_name)
                from unnest(p_tables) as names (table_name)
            )
        ) as states
            on format('mrr.%I', tables.table_name) = states.relation_name
    ) as versions
$body$;

comment on function mrr_state.versions_of is
'The versions of nodes and of mirrored tables, by which those that read them tell whether they'
' have changed since.';
