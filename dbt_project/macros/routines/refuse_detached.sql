{% macro refuse_detached() %}
create or replace function mrr_state.refuse_detached(p_table text, p_partition text)
    returns void
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $body$
begin
    if to_regclass(p_partition) is not null then
        raise exception using
            errcode = 'duplicate_table',
            message = format(
                '%s is left as it was: %s is detached, and there are rows for it',
                p_table, p_partition
            ),
            hint = 'Leave these rows out of the model, or attach the partition again.';
    end if;
end
$body$;

comment on function mrr_state.refuse_detached is
    'Raises an error if the partition that a table needs exists, but is not attached.';
{% endmacro %}
