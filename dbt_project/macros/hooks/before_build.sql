{% macro before_build() %}
    {%- if model.resource_type == 'snapshot' -%}
        {{ follow_columns() }}
    {%- endif -%}
    {{ lock_model() }};
    {%- if has_position(model) %}
    select mrr_state.start_reading(
        '{{ model.name }}', {{ text_array(positions_above(model)) }}
    );
    {%- if reads_increment() and changes_of(model) %}
    {{ collect_unread(model, this, unread_rows()) }}
    {%- endif -%}
    {%- endif -%}
{% endmacro %}
