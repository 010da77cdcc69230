{#- A change has the `table_name` and the `row_key` of the mirrored row. If all rows of the table
    must be read, it has the `operation` `load` and no key. That is so if the node was never built,
    and if the table was loaded as a whole, since the log does not list the rows of such a load.

    With `before_build`, these are all changes in the log: those of this run, and those that a
    killed run left. The end of a run deletes what every model has read. A node without a position,
    such as a view, has read none of them. -#}
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
