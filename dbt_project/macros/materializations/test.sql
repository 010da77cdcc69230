{#- dbt does not commit after a test, which only reads. -#}
{%- materialization test, adapter='postgres' -%}
    {%- if should_store_failures() -%}
        {%- do run_query(store_versions(record_of(model.unique_id))) -%}
    {%- endif -%}
    {%- set result = dbt.materialization_test_default() -%}
    {{ adapter.commit() }}
    {{ return(result) }}
{%- endmaterialization -%}
