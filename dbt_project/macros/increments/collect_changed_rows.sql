{#- Fills changed_rows. `config.meta.changes` maps columns of the model to the mirrored tables
    whose key they hold; the first is the one the model is built by:

        changes: {sale_id: mrr_fact_sales, customer_id: mrr_dim_customers}

    Rows of the model that hold a changed key in another column are found through the model
    itself. A model without a position (-1) is built anew in full, and so is one below a mirrored
    table that was made anew. The analyze tells the planner that the table is small, or empty:
    without it, it reads the whole mirror. -#}
{% macro collect_changed_rows() %}
    {%- set changes = model.config.meta.changes -%}
    {%- set row_key, own_table = (changes.items() | list)[0] -%}
    {%- set mirrored = mirrored_table(own_table) -%}
    create temporary table {{ changed_rows() }} on commit drop as

    {{ changed_keys(own_table, model.name, row_key) }}
    {% for column, table in (changes.items() | list)[1:] %}
    union

    select existing.{{ row_key }}
    from {{ this }} as existing
    where existing.{{ column }} in (
        {{ changed_keys(table, model.name, column) | indent(8) }}
    )
    {% endfor %}
    union

    select existing.{{ row_key }}
    from {{ this }} as existing
    where
        existing.{{ row_key }} is not null
        and (
            {{ is_unbuilt(model.name) }}
            {% for table in changes.values() -%}
            or {{ is_loaded_anew(table, model.name) | indent(12) }}
            {% endfor -%}
        )

    union

    select mirrored.{{ adapter.quote(mirrored.key) }}
    from {{ mirrored.relation }} as mirrored
    where {{ is_unbuilt(model.name) }};

    analyze {{ changed_rows() }}
{% endmacro %}
