{% macro log_nodes(results) %}
    {%- if is_building() -%}
        {{ insert_log_entries(_log_entries(results), env_var('TIDEMARK_RUN_ID', invocation_id)) }}
    {%- endif -%}
{% endmacro %}

{% macro _log_entries(results) %}
    {%- set entries = [] -%}
    {%- for result in results -%}
        {%- do entries.append(log_entry(result)) -%}
    {%- endfor -%}
    {{ return(entries) }}
{% endmacro %}
