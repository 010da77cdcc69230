{% macro forget_builds() %}
create or replace function mrr_state.forget_builds(p_unique_ids text[])
    returns void
    language sql
    set search_path = pg_catalog, pg_temp
as $body$
    update mrr_state.built_node
    set fingerprint = null
    where built_node.unique_id = any(p_unique_ids)
$body$;

comment on function mrr_state.forget_builds is
    'Records that the next run has to work on nodes in any case, since they failed.';
{% endmacro %}
