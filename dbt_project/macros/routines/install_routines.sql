{#- Bodies are not checked, since they refer to tables that the first build has yet to create. The
    lock keeps two builds from replacing a routine at once, which would be an error. -#}
{% macro install_routines() %}
    {%- if is_building() -%}
        {%- call statement('install_routines', auto_begin=true) -%}
            set local check_function_bodies = off;
            select pg_catalog.pg_advisory_xact_lock(
                pg_catalog.hashtextextended('install_routines', 0::bigint)
            );
            {{ describe_sessions() }}
            {{ lock_relation() }}
            {{ begin_build() }}
            {{ start_reading() }}
            {{ reread_changed() }}
            {{ record_build() }}
            {{ forget_builds() }}
            {{ refuse_change() }}
            {{ drop_views() }}
            {{ change_relation() }}
            {{ view_state() }}
            {{ keeps_contract() }}
            {{ table_differences() }}
            {{ table_changes() }}
            {{ check_contract() }}
            {{ check_unique_key() }}
            {{ apply_differences() }}
            {{ copy_indexes() }}
            {{ is_partitioned_by() }}
            {{ refuse_detached() }}
            {{ create_partitions() }}
            {{ restore_properties() }}
            {{ grant_to_analyst() }}
            {{ describe_relation() }}
            {{ replace_relation() }}
            {{ json_or_null() }}
            {{ is_instant() }}
            {{ number_of_text() }}
            {{ text_of_value() }}
            {{ number_of_value() }}
            {{ instant_of_text() }}
            {{ instant_of_milliseconds() }}
            {{ instant_of_value() }}
            {{ uuid_of_value() }}
            {{ bytes_of_value() }}
            {{ most_popular_product() if node_of('model.tidemark.dwh_fact_sales') }}
            {{ customer_as_of() if node_of('model.tidemark.dwh_dim_customers') }}
            {{ routines_of_logs() if not _has_routines_of_logs_of_owner() }}
            {{ insert_procedure_info() }}
        {%- endcall -%}
        {%- do adapter.commit() -%}
    {%- endif -%}
{% endmacro %}

{#- With roles, they belong to the owner of the warehouse, and grant_roles installs them. -#}
{% macro _has_routines_of_logs_of_owner() -%}
    {{ return(run_query(
        "select count(*) > 0 from pg_catalog.pg_proc"
        " where proname = 'purge_logs' and pronamespace = pg_catalog.to_regnamespace('dwh')"
        " and not pg_catalog.pg_has_role(proowner, 'usage')"
    ).columns[0][0]) }}
{%- endmacro %}
