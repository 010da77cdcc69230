{% macro reread_changed() %}
create or replace function mrr_state.reread_changed(
    p_model_name text, p_unique_id text, p_code_digest text, p_relation text
)
    returns void
    language sql
    set search_path = pg_catalog, pg_temp
as $body$
    update mrr_state.model_position
    set built_to = -1
    from mrr_state.built_node
    left join mrr_state.relation_states(array[p_relation]) as states
        on true
    where
        model_position.model_name = p_model_name
        and built_node.unique_id = p_unique_id
        and (
            built_node.code_digest is distinct from p_code_digest
            -- after a restore it is not known, but the rows are those of the position
            or built_node.relation_state <> coalesce(states.relation_state, '')
            -- a partition may be detached, but no other may be attached or truncated
            or not built_node.partitions @> coalesce(states.partitions, '{}'::jsonb)
            or built_node.rows_written < states.rows_written
        )
$body$;

comment on function mrr_state.reread_changed is
    'Lets a model read every row again if its query is another one than in its last build, or that'
    ' of a node above it, or if its table was damaged, replaced or written to since.';
{% endmacro %}
