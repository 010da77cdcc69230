{#- Post-hook, in the transaction of the model: what was read counts as built. -#}
{% macro end_increment() %}
    {%- if model.config.materialized in ['incremental', 'snapshot'] -%}
        update mrr_state.model_position
        set
            built_from = built_to,
            built_to = greatest(built_to, reading_to),
            updated_at = clock_timestamp()
        where model_name = '{{ model.name }}'
    {%- endif -%}
{% endmacro %}
