{% macro after_build() %}
    {%- if model.resource_type == 'snapshot' -%}
        {{ index_open_rows() }};
    {%- endif -%}
    {%- set record = record_of(model.unique_id) -%}
    {%- if has_position(model) %}
    update mrr_state.model_position
    set
        built_from = built_to,
        built_to = {{ 'greatest(built_to, reading_to)' if builds_all_rows() else '-1' }},
        updated_at = clock_timestamp()
    where model_name = '{{ model.name }}';
    {%- endif %}
    {%- if model.schema == 'dwh' %}
    select mrr_state.grant_to_analyst(
        '{{ this | string | replace("'", "''") }}'::regclass,
        {{ withheld_columns(model, var('withheld_tags')) }}
    );
    {%- endif %}
    select mrr_state.record_build(
        '{{ model.unique_id }}',
        '{{ record.fingerprint if builds_all_rows() }}',
        '{{ record.code_digest }}',
        '{{ this | string | replace("'", "''") }}',
        {{ stored_versions() }},
        '{{ var("business_time_zone") }}'
    )
    {%- if has_position(model) and model.config.materialized == 'incremental'
        and not reads_increment() %};
    analyze {{ this }}
    {%- endif -%}
{% endmacro %}
