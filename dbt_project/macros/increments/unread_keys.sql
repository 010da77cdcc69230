{% macro unread_keys(node, table) -%}
    with changes as (

        {{ unread_changes(node) | indent(4) }}

    )

    {{ _keys_of('changes', table) }}
{%- endmacro %}

{% macro _keys_of(changes, table) -%}
    {%- set mirrored = mirrored_table(table) -%}
    {{ logged_keys(changes, table) }}

    union

    select mirrored.{{ mirrored.key | join(', mirrored.') }}
    from {{ mirrored.relation }} as mirrored
    where {{ has_load(changes, table) }}
{%- endmacro %}
