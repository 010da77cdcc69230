{#- dbt uses now(), the start of the transaction, without its time zone. A build that waited for the
    lock of another one would then open versions that are older than those it closes. The start of
    the statement is after the wait, and is the same throughout the statement. -#}
{% macro postgres__snapshot_get_time() -%}
    statement_timestamp()
{%- endmacro %}
