{% macro is_partitioned_by() %}
create or replace function mrr_state.is_partitioned_by(
    p_relation regclass, p_column text, p_granularity text
)
    returns boolean
    language sql
    stable
    set search_path = pg_catalog, pg_temp
as $body$
    select
        pg_get_partkeydef(p_relation)
        is not distinct from 'RANGE (' || quote_ident(p_column) || ')'
        and not exists (
            select from pg_inherits
            inner join pg_class as partition
                on pg_inherits.inhrelid = partition.oid
            inner join pg_class as relation
                on pg_inherits.inhparent = relation.oid
            -- those that a build created have the name of the table and of their period
            cross join lateral substring(
                substr(partition.relname, length(relation.relname) + 1)
                from '^__(\d{4}(_\d\d){0,2})$'
            ) as named (period)
            where
                pg_inherits.inhparent = p_relation
                and starts_with(partition.relname, relation.relname)
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
