{% macro record_build() %}
create or replace function mrr_state.record_build(
    p_unique_id text, p_fingerprint text, p_code_digest text, p_relation text, p_inputs jsonb,
    p_time_zone text
)
    returns void
    language sql
    set search_path = pg_catalog, pg_temp
as $body$
    insert into mrr_state.built_node (
        unique_id, fingerprint, code_digest, relation_state, partitions, rows_written, inputs,
        built_on
    )
    select
        p_unique_id,
        nullif(p_fingerprint, ''),
        nullif(p_code_digest, ''),
        states.relation_state,
        states.partitions,
        -- the statistics do not have those of this transaction yet
        states.rows_written + (
            select
                coalesce(sum(
                    pg_stat_get_xact_tuples_inserted(parts.relation)
                    + pg_stat_get_xact_tuples_updated(parts.relation)
                    + pg_stat_get_xact_tuples_deleted(parts.relation)
                ), 0)
            from (
                select to_regclass(p_relation)::oid as relation
                union all
                select pg_partition_tree.relid
                from pg_partition_tree(to_regclass(p_relation))
                where pg_partition_tree.level > 0
            ) as parts
        ),
        p_inputs,
        -- the day on which the transaction began to read
        (now() at time zone p_time_zone)::date
    from (values (p_relation)) as named (relation_name)
    left join mrr_state.relation_states(array[p_relation]) as states
        using (relation_name)
    on conflict (unique_id) do update set
        fingerprint = excluded.fingerprint,
        code_digest = excluded.code_digest,
        relation_state = excluded.relation_state,
        partitions = excluded.partitions,
        rows_written = excluded.rows_written,
        build_version = excluded.build_version,
        previous_version = built_node.build_version,
        inputs = excluded.inputs,
        built_on = excluded.built_on,
        built_at = excluded.built_at;

    -- The statistics of this transaction would lag behind by up to ten seconds, and what others wrote
    -- to the relation in the meantime would not exceed what is recorded.
    select pg_stat_force_next_flush()
$body$;

comment on function mrr_state.record_build is
    'Records that a node was built or tested, of which code and of which versions of its inputs.';
{% endmacro %}
