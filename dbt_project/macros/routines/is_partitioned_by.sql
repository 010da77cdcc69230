{% macro is_partitioned_by() %}
create or replace function mrr_state.is_partitioned_by(
    p_relation regclass, p_column text, p_granularity text
)
    returns boolean
    language sql
    stable
    set search_path = pg_catalog
as $body$
    select
        pg_get_partkeydef(p_relation)
        is not distinct from 'RANGE (' || quote_ident(p_column) || ')'
        and not exists (
            select from pg_inherits
            inner join pg_class as partition
                on pg_inherits.inhrelid = partition.oid
            -- only those that were created for a period are named for one
            cross join lateral substring(partition.relname from '__(\d{4}(_\d\d){0,2})$')
                as named (period)
            where
                pg_inherits.inhparent = p_relation
                and length(named.period) <> length(
                    case p_granularity
                        when 'year' then 'YYYY'
                        when 'month' then 'YYYY_MM'
                        else 'YYYY_MM_DD'
                    end
                )
        )
$body$;

comment on function mrr_state.is_partitioned_by is
    'True where a table is partitioned by this column and granularity; without a column, where it is'
    ' not partitioned.';
{% endmacro %}
