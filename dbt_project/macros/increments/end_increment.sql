{#- Post-hook, in the transaction of the model: what was read counts as built. A table that was built
    whole is analyzed, or the queries that follow would read all of it for a few rows. -#}
{% macro end_increment() %}
    {%- if model.config.materialized in ['incremental', 'snapshot'] -%}
        update mrr_state.model_position
        set
            built_from = built_to,
            built_to = greatest(built_to, reading_to),
            updated_at = clock_timestamp()
        where model_name = '{{ model.name }}'
        {%- if model.config.materialized == 'incremental' and not is_incremental() %};
        analyze {{ this }}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}
