{#- Fills changed_rows, by the model's `changes`. Rows of the model that hold a changed key of
    another table than the first are found through the model itself. A model without a position
    (-1) is built anew in full, and so is one below a mirrored table that was made anew. The
    analyze tells the planner that the table is small, or empty: without it, it reads the whole
    mirror. -#}
{% macro collect_changed_rows() %}
    {%- set changes = changes_of(model) -%}
    {%- set row_key, own_table = changes[0].key, changes[0].table -%}
    {%- set existing_key = 'existing.' ~ row_key | join(', existing.') -%}
    {%- set mirrored = mirrored_table(own_table) -%}
    create temporary table {{ changed_rows() }} ({{ row_key | join(', ') }}) on commit drop as

    {{ changed_keys(own_table, model.name) }}
    {% for change in changes[1:] %}
    union

    select {{ existing_key }}
    from {{ this }} as existing
    where (existing.{{ change.key | join(', existing.') }}) in (
        {{ changed_keys(change.table, model.name) | indent(8) }}
    )
    {% endfor %}
    union

    select {{ existing_key }}
    from {{ this }} as existing
    where
        (existing.{{ row_key | join(', existing.') }}) is not null
        and (
            {{ is_unbuilt(model.name) }}
            {% for change in changes -%}
            or {{ is_loaded_anew(change.table, model.name) | indent(12) }}
            {% endfor -%}
        )

    union

    select mirrored.{{ mirrored.key | join(', mirrored.') }}
    from {{ mirrored.relation }} as mirrored
    where {{ is_unbuilt(model.name) }};

    analyze {{ changed_rows() }}
{% endmacro %}
