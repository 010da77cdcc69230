{#- Rows that hold a changed key of another table than the first are found through the model itself;
    where a table is to be read whole, so are all rows that the model has. The analyze tells the
    planner that the table is small, or empty: without it, it reads the whole mirror. -#}
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
