{#- Where dbt only compiles or shows a model there are no changed rows: it reads everything then.
    In a unit test it has no relation. -#}
{% macro is_incremental() %}
    {{ return(flags.WHICH in ['build', 'run'] and this is not none and dbt.is_incremental()) }}
{% endmacro %}
