{#- A query for customers, mirrored or from their history, under the names of the warehouse, with
    the reason of invalid ones. `also` names further columns of the relation to hand on. -#}
{% macro checked_customers(relation, also=['created_at', 'updated_at']) -%}
    select
        -- keys
        id as customer_id,

        -- attributes
        {{ trimmed('name') }} as customer_name,
        {{ trimmed('country') }} as country,

        -- flags
        {{ rejection_reason([
            (trimmed('name') ~ ' is not null', 'name is missing'),
        ]) | indent(8) }} as rejection_reason,

        -- timestamps
        {{ also | join(',\n        ') }}
    from {{ relation }}
{%- endmacro %}
