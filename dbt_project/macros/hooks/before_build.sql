{% macro before_build() %}
    {%- if model.resource_type == 'snapshot' -%}
        {{ follow_columns() }}
    {%- endif -%}
    {%- set record = record_of(model.unique_id) -%}
    {{ lock_model() }};
    {{ store_versions(record) }};
    {%- if has_position(model) %}
    select mrr_state.reread_changed(
        '{{ model.name }}',
        '{{ model.unique_id }}',
        '{{ record.code_digest }}',
        '{{ this | string | replace("'", "''") }}'
    );
    select mrr_state.start_reading(
        '{{ model.name }}', {{ text_array(positions_above(model)) }}
    );
    {%- if reads_increment() and changes_of(model) %}
    {{ collect_unread(model, this, unread_rows()) }}
    {%- endif -%}
    {%- endif -%}
{% endmacro %}
