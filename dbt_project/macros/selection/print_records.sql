{#- Writes to the log of dbt, as JSON, what would be recorded of each node. -#}
{% macro print_records() -%}
    {{ log(tojson({
        'records': records_of(graph.nodes),
        'time_zone': var('business_time_zone'),
    })) }}
{%- endmacro %}
