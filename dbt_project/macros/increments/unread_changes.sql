{#- A change has its `table_name` and the `row_key` of the mirrored row; or `load` as its
    `operation` and no key, where all rows of the table are to be read. That is so for a node that
    was never built, and for a table that was made anew, since the log does not name those rows.

    With `before_build`, it is what stands in the log, which is cut at the end of a run: what this
    run changed, and what a killed one left. A node that keeps no position, as a view, has read
    nothing of it. -#}
{% macro unread_changes(node, before_build=false) -%}
    {%- if not execute -%}
        {{ return('') }}
    {%- endif -%}
    {%- set column = 'least(built_from, 0)' if before_build else 'built_to' -%}
    {%- set position -%}
        coalesce((
            select {{ column }}
            from mrr_state.model_position as model_position
            where model_position.model_name = '{{ node.name }}'
        ), {{ 0 if before_build else -1 }})
    {%- endset -%}
    {{ _changes_above(position, changes_of(node) | map(attribute='table') | list) }}
{%- endmacro %}

{% macro _changes_above(position, tables) -%}
    select
        change_log.table_name,
        change_log.row_key,
        change_log.operation
    from mrr_state.change_log as change_log
    where
        change_log.table_name in ('{{ tables | join("', '") }}')
        and change_log.change_id > {{ position }}

    union all

    select
        tables.table_name,
        null,
        'load'
    from unnest(array['{{ tables | join("', '") }}']) as tables (table_name)
    where {{ position }} < 0
{%- endmacro %}
