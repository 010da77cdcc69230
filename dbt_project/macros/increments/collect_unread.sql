{#- Rows that contain a changed key of a table other than the first are found in the model itself.
    If a table must be read whole, all rows of the model are added. Without the ANALYZE, the planner
    would not know that the temporary table is small or empty, and would read the whole mirror. -#}
{% macro collect_unread(node, relation, unread) %}
    {%- set changes = changes_of(node) -%}
    {%- set existing_key = 'existing.' ~ changes[0].key | join(', existing.') -%}
    create temporary table {{ unread }} ({{ changes[0].key | join(', ') }}) on commit drop as

    {{ unread_keys(node, changes[0].table) }}
    {% for change in changes[1:] %}
    union

    select {{ existing_key }}
    from {{ relation }} as existing
    where (existing.{{ change.key | join(', existing.') }}) in (
        {{ logged_keys('changes', change.table) | indent(8) }}
    )
    {% endfor %}
    union

    select {{ existing_key }}
    from {{ relation }} as existing
    where ({{ existing_key }}) is not null and {{ has_load('changes') | indent(4) }};

    analyze {{ unread }}
{% endmacro %}
