{#- Pre-hook, in the transaction of an incremental model or a snapshot: `mrr_state.start_reading`
    fixes what will count as built. A model with `changes` that is not built for the first time
    finds the keys of the rows to build anew in the temporary table changed_rows. -#}
{% macro begin_increment() %}
    {%- if model.config.materialized in ['incremental', 'snapshot'] -%}
        {%- set upstream = models_with_position(model) -%}
        select mrr_state.start_reading(
            '{{ model.name }}', array[{{ "'" ~ upstream | join("', '") ~ "'" if upstream }}]::text[]
        );
        {%- if is_incremental() and changes_of(model) %}
        {{ collect_changed_rows() }}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}
