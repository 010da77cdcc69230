{#- A query for mirrored sales under the warehouse's names, with the reason of invalid ones. -#}
{% macro checked_sales(relation) -%}
    select
        -- keys
        id as sale_id,
        "customerId" as customer_id,
        "productId" as product_id,

        -- measures
        qty as sale_quantity,

        -- flags
        {{ rejection_reason([
            ('"customerId" is not null', 'no customer is named'),
            ('"productId" is not null', 'no product is named'),
            ('qty > 0', 'quantity is not above zero'),
        ]) | indent(8) }} as rejection_reason,

        -- timestamps
        created_at,
        updated_at
    from {{ relation }}
{%- endmacro %}
