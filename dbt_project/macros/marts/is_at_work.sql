{#- Each command holds an advisory lock of its id, which is released when its process ends. -#}
{% macro is_at_work(run_id) -%}
exists (
        select from pg_locks
        where
            pg_locks.locktype = 'advisory'
            and pg_locks.objsubid = 1
            and pg_locks.database = (
                select pg_database.oid from pg_database
                where pg_database.datname = current_database()
            )
            and ((pg_locks.classid::bigint << 32) | pg_locks.objid::bigint)
            = hashtextextended({{ run_id }}, 0)
    )
{%- endmacro %}
