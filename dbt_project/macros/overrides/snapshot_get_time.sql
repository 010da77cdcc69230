{#- dbt takes now(), the start of the transaction, without its time zone. A build that waited for
    another one's lock would then open versions that are older than those it closes. The start of
    the statement lies after the wait, and is the same wherever one statement uses it. -#}
{% macro postgres__snapshot_get_time() -%}
    statement_timestamp()
{%- endmacro %}
