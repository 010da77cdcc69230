{#- The months of a published table of dwh, each with a hash of the parts that ClickHouse has of it.
    Publishing replaces a month's parts if a row of it has changed. A merge replaces them too, which
    costs a needless rebuild. -#}
{% macro months_of_source(table) -%}
    {%- set parts = "cluster('" ~ target.cluster ~ "', system.parts)" if target.cluster else 'system.parts' -%}
    select
        partition_id,
        toString(groupBitXor(cityHash64(table, name, hash_of_all_files)))
    from {{ parts }}
    where
        active
        and database = '{{ env_var("CLICKHOUSE_DATABASE") }}'
        and match(table, '^_{{ table }}_[0-9a-f]{8}$')
    group by partition_id
{%- endmacro %}
