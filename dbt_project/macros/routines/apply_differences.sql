{% macro apply_differences() %}
create or replace function mrr_state.apply_differences(p_target regclass, p_built regclass)
    returns bigint
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $body$
declare
    v_columns text;
    v_copy text := '1';
    v_deleted bigint;
    v_inserted bigint;
begin
    select string_agg(quote_ident(attname), ', ' order by attnum)
    into v_columns
    from pg_attribute
    where attrelid = p_built and attnum > 0 and not attisdropped;

    -- without a primary key, equal rows are told apart by a number
    if not exists (
        select from pg_index where indrelid = p_target and indisprimary
    ) then
        v_copy := format('row_number() over (partition by row(%s)::text)', v_columns);
    end if;

    execute format(
        'create temporary table differing_rows on commit drop as
        select known.part, known.place as known_place, built.place as built_place
        from (
            select tableoid as part, ctid as place, row(%1$s)::text as content, %2$s as copy
            from %3$s
        ) as known
        full join (
            select ctid as place, row(%1$s)::text as content, %2$s as copy from %4$s
        ) as built
            on known.content = built.content and known.copy = built.copy
        where known.place is null or built.place is null',
        v_columns, v_copy, p_target, p_built
    );
    execute format(
        'delete from %s as known using pg_temp.differing_rows as differing
        where known.tableoid = differing.part and known.ctid = differing.known_place',
        p_target
    );
    get diagnostics v_deleted = row_count;
    execute format(
        'insert into %1$s (%2$s) select %2$s from %3$s as built
        inner join pg_temp.differing_rows as differing on built.ctid = differing.built_place',
        p_target, v_columns, p_built
    );
    get diagnostics v_inserted = row_count;
    drop table pg_temp.differing_rows;
    return greatest(v_deleted, v_inserted);
end
$body$;

comment on function mrr_state.apply_differences is
    'Makes the rows of a table equal to those of another one, by deleting and inserting rows that'
    ' differ. Returns the number of rows that changed.';
{% endmacro %}
