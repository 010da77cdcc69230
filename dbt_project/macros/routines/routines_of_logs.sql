{#- The routines by which a run adds up and purges the logs. A loader calls them, which no transformer may
    have written. -#}
{% macro routines_of_logs() -%}
    {{ insert_procedure_error() }}
    {{ refresh_daily_step_total() }}
    {{ purge_logs() }}
{%- endmacro %}
