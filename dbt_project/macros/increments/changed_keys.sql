{#- A query for the keys of a mirrored table that changed since a model was built, as far as the
    model reads now, typed as the mirror types them. -#}
{% macro changed_keys(table, model_name, column) -%}
    {%- set mirrored = mirrored_table(table) -%}
    select
        (
            jsonb_populate_record(null::{{ mirrored.relation }}, change_log.row_key)
        ).{{ adapter.quote(mirrored.key) }} as {{ column }}
    from {{ source('state', 'change_log') }} as change_log
    inner join {{ source('state', 'model_position') }} as model_position
        on
            change_log.change_id > model_position.built_to
            and change_log.change_id <= model_position.reading_to
    where
        change_log.table_name = '{{ table }}'
        and model_position.model_name = '{{ model_name }}'
{%- endmacro %}
