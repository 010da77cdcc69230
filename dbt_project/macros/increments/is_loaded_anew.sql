{#- True where a mirrored table was made anew since a model was built: then the log does not name
    its rows. -#}
{% macro is_loaded_anew(table, model_name) -%}
    exists (
        select 1
        from {{ source('state', 'change_log') }} as change_log
        inner join {{ source('state', 'model_position') }} as model_position
            on change_log.change_id > model_position.built_to
        where
            change_log.table_name = '{{ table }}'
            and change_log.operation = 'load'
            and model_position.model_name = '{{ model_name }}'
    )
{%- endmacro %}
