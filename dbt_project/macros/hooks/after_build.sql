{% macro after_build() %}
    {%- if model.resource_type == 'snapshot' -%}
        {{ index_open_rows() }};
    {%- endif -%}
    {%- if has_position(model) %}
    update mrr_state.model_position
    set
        built_from = built_to,
        built_to = greatest(built_to, reading_to),
        updated_at = clock_timestamp()
    where model_name = '{{ model.name }}'
    {%- if model.config.materialized == 'incremental' and not reads_increment() %};
    analyze {{ this }}
    {%- endif -%}
    {%- endif -%}
{% endmacro %}
