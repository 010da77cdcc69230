{% macro create_partitions() %}
create or replace function mrr_state.create_partitions(
    p_table regclass, p_rows regclass, p_column text, p_granularity text
)
    returns void
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $body$
declare
    v_schema name;
    v_name name;
    v_known text;
    v_start date;
    v_partition text;
begin
    select
        pg_namespace.nspname,
        pg_class.relname
    into v_schema, v_name
    from pg_class
    inner join pg_namespace
        on pg_class.relnamespace = pg_namespace.oid
    where pg_class.oid = p_table;
    select string_agg(pg_get_partition_constraintdef(inhrelid), ' or ')
    into v_known
    from pg_inherits
    where inhparent = p_table and not inhdetachpending;

    for v_start in execute format(
        'select distinct date_trunc(%1$L, %2$I)::date
        from (select distinct %2$I from %3$s) as found
        where isfinite(%2$I) and (%4$s) is not true
        order by 1',
        p_granularity, p_column, p_rows, coalesce(v_known, 'false')
    ) loop
        v_partition := v_name || to_char(
            v_start,
            case p_granularity
                when 'year' then '"__"YYYY'
                when 'month' then '"__"YYYY_MM'
                else '"__"YYYY_MM_DD'
            end
        );
        perform mrr_state.refuse_detached(p_table::text, format('%I.%I', v_schema, v_partition));
        -- PARTITION OF would keep readers waiting; ATTACH keeps from others what changes the table
        perform mrr_state.lock_relation(p_table, 'share update exclusive');
        execute format(
            'create table %I.%I (like %s including defaults including constraints'
            ' including storage)',
            v_schema, v_partition, p_table
        );
        execute format(
            'alter table %s attach partition %I.%I for values from (%L) to (%L)',
            p_table, v_schema, v_partition, v_start,
            (v_start + format('1 %s', p_granularity)::interval)::date
        );
    end loop;
end
$body$;

comment on function mrr_state.create_partitions is
    'Creates the partitions that a table needs for some rows and does not have.';
{% endmacro %}
