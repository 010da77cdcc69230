{% macro check_unique_key() %}
create or replace function mrr_state.check_unique_key(
    p_relation regclass, p_key text[], p_not_null boolean, p_model text
)
    returns void
    language plpgsql
    stable
    set search_path = pg_catalog, pg_temp
as $body$
declare
    v_columns text[] := (
        select array_agg(columns.column_name::text order by columns.column_name)
        from (
            select (parse_ident(names.key_column))[1]::name as column_name
            from unnest(p_key) as names (key_column)
        ) as columns
    );
begin
    if not exists (
        select from pg_index
        where
            indrelid = p_relation
            and indisunique
            and indimmediate
            and indisvalid
            and indpred is null
            and indexprs is null
            and (
                select
                    array_agg(attname::text order by attname) = v_columns
                    and (bool_and(attnotnull) or not p_not_null)
                from pg_attribute
                where
                    attrelid = p_relation
                    -- the columns after these are INCLUDEd
                    and attnum = any((indkey::smallint[])[0:indnkeyatts - 1])
            )
    ) then
        raise exception using
            errcode = 'invalid_table_definition',
            message = format(
                '%s: nothing keeps its unique_key (%s) unique',
                p_relation,
                array_to_string(p_key, ', ')
            ),
            hint = format(
                'Declare a primary key of these columns in its contract, and build it once with:'
                ' dbt build --full-refresh --select %s',
                p_model
            );
    end if;
end
$body$;

comment on function mrr_state.check_unique_key is
    'Raises an error unless a unique index has just these columns; with p_not_null, unless none of'
    ' them may be null.';
{% endmacro %}
