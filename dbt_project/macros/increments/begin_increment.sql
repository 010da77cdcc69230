{#- Pre-hook: decides what an incremental model or a snapshot reads, in its own transaction.

    `mrr_state.start_reading` lets one build of the model at a time pass, and fixes how far the
    change log is read. A model that has been built before then gets a temporary table with the
    keys of the rows to build anew: see changed_rows. -#}
{% macro begin_increment() %}
    {%- if model.config.materialized in ['incremental', 'snapshot'] -%}
        {%- set upstream = models_with_position(model) -%}
        select mrr_state.start_reading(
            '{{ model.name }}', array[{{ "'" ~ upstream | join("', '") ~ "'" if upstream }}]::text[]
        );
        {%- if is_incremental() %}
        {{ collect_changed_rows() }}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}
