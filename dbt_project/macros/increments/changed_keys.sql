{#- A query for the keys of a mirrored table that changed since a model was built, as the mirror
    types them; all of them where the mirror was made anew since. The model reads them; its tests
    leave them out, so that a mirror that moves on is no failure. -#}
{% macro changed_keys(table, model_name) -%}
    {%- set mirrored = mirrored_table(table) -%}
    select logged.{{ mirrored.key | join(', logged.') }}
    from {{ source('state', 'change_log') }} as change_log
    inner join {{ source('state', 'model_position') }} as model_position
        on change_log.change_id > model_position.built_to
    cross join lateral jsonb_populate_record(null::{{ mirrored.relation }}, change_log.row_key)
        as logged
    where
        change_log.table_name = '{{ table }}'
        and change_log.row_key is not null
        and model_position.model_name = '{{ model_name }}'

    union

    select mirrored.{{ mirrored.key | join(', mirrored.') }}
    from {{ mirrored.relation }} as mirrored
    where {{ is_loaded_anew(table, model_name) }}
{%- endmacro %}
