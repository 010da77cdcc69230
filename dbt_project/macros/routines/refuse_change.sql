{% macro refuse_change() %}
create or replace function mrr_state.refuse_change(
    p_relation text, p_reason text, p_dependencies text[]
)
    returns void
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $body$
begin
    raise exception using
        errcode = 'dependent_objects_still_exist',
        message = format(
            '%s is left as it was: %s: %s',
            p_relation,
            p_reason,
            (
                select string_agg(distinct objects.object_name, ', ')
                from unnest(p_dependencies) as dependencies (description)
                cross join lateral regexp_replace(
                    dependencies.description, '^rule _RETURN on | depends on .*$', '', 'g'
                ) as objects (object_name)
            )
        ),
        hint = 'Drop them, build, and create them again. Build views of this project together with'
            ' it.';
end
$body$;

comment on function mrr_state.refuse_change is
    'Raises the error that names the objects because of which a relation cannot be changed.';
{% endmacro %}
