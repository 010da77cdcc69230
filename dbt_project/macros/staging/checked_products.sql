{#- A query for products, mirrored or from their history, under the names of the warehouse, with
    the reason of invalid ones. `also` names further columns of the relation to hand on. -#}
{% macro checked_products(relation, also=['created_at', 'updated_at']) -%}
    select
        -- keys
        id as product_id,

        -- attributes
        {{ trimmed('name') }} as product_name,
        {{ trimmed('groupname') }} as product_group,

        -- flags
        {{ rejection_reason([
            (trimmed('name') ~ ' is not null', 'name is missing'),
        ]) | indent(8) }} as rejection_reason,

        -- timestamps
        {{ also | join(',\n        ') }}
    from {{ relation }}
{%- endmacro %}
