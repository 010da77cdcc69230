{#- Installs every routine: on-run-start, or `dbt run-operation install_routines`.

    Bodies are not checked, since they name tables that the first build has yet to make. The lock
    keeps two builds from replacing a routine at once, which PostgreSQL answers with an error. -#}
{% macro install_routines() %}
    {%- if execute and flags.WHICH in ['build', 'run', 'snapshot', 'test', 'run-operation'] -%}
        {%- call statement('install_routines', auto_begin=true) -%}
            set local check_function_bodies = off;
            select pg_advisory_xact_lock(hashtextextended('install_routines', 0));
            {{ start_reading() }}
            {{ most_popular_product() }}
            {{ insert_procedure_info() }}
        {%- endcall -%}
        {%- do adapter.commit() -%}
    {%- endif -%}
{% endmacro %}
