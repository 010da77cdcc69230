{#- On-run-end: a row in dwh.run_log for each node that was built or tested. -#}
{% macro log_nodes(results) %}
    {%- if execute and flags.WHICH in ['build', 'run', 'seed', 'snapshot', 'test'] -%}
        {%- set entries = [] -%}
        {%- for result in results -%}
            {%- do entries.append(log_entry(result)) -%}
        {%- endfor -%}
        {{ insert_log_entries(entries, env_var('TIDEMARK_RUN_ID', invocation_id)) }}
    {%- endif -%}
{% endmacro %}
