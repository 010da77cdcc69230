{#- True where nothing is known of how far a model has read the change log. -#}
{% macro is_unbuilt(model_name) -%}
    (
        select model_position.built_to < 0
        from {{ source('state', 'model_position') }} as model_position
        where model_position.model_name = '{{ model_name }}'
    )
{%- endmacro %}
