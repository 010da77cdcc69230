{% macro postgres__get_show_indexes_sql(relation) -%}
    select
        indexes.relname as name,
        pg_am.amname as method,
        pg_index.indisunique as "unique",
        string_agg(pg_attribute.attname, ',') as column_names
    from pg_index
    inner join pg_class as indexes
        on pg_index.indexrelid = indexes.oid
    inner join pg_am
        on indexes.relam = pg_am.oid
    inner join pg_attribute
        on
            pg_index.indrelid = pg_attribute.attrelid
            and pg_attribute.attnum = any(pg_index.indkey)
    where pg_index.indrelid = '{{ relation }}'::regclass
    group by indexes.relname, pg_am.amname, pg_index.indisunique
    order by indexes.relname
{%- endmacro %}
