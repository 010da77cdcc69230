{#- All nodes of an invocation have the same graph. So what is written into it when the run starts
    need not be computed in the context of each node, where dbt compiles each macro again. -#}
{% macro keep_records() %}
    {%- if is_building() -%}
        {%- do graph.update({'records': records_of(selected_resources)}) -%}
    {%- endif -%}
{% endmacro %}
