{#- `except all` counts copies, so that a row which arrives twice is found, too. -#}
{% test rows_equal_mirror(model, columns, mirror, rejected, left_out=none) %}
{%- if execute -%}
{%- set node = tested_node() -%}
{%- set key = changes_of(node)[0].key -%}
{%- set mirror_key = mirrored_table(mirror.identifier).key -%}
{%- set is_tested = rows_to_test(node) or 'true' %}

with mirrored as (

    select
        {%- for name, mirror_name in columns.items() %}
        {{ mirror_name }} as {{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ mirror }}
    where {{ rows_to_test(node, mirror_key) or 'true' }}

),

warehouse as (

    select {{ columns | join(', ') }} from {{ model }}
    union all
    select {{ columns | join(', ') }} from {{ rejected }}
    where {{ is_tested }}
    {%- if left_out %}
    union all
    select {{ columns | join(', ') }} from {{ left_out.relation }}
    where ({{ left_out.where }}) and {{ is_tested }}
    {%- endif %}

),

differences as (

    select 'not in the warehouse' as found, missing.*
    from (select * from mirrored except all select * from warehouse) as missing
    union all
    select 'not in the mirror' as found, extra.*
    from (select * from warehouse except all select * from mirrored) as extra

)

select * from differences
-- also a row without a key, for which NOT IN is not true
where (({{ key | join(', ') }}) in (
    {{ unread_keys(node, mirror.identifier) | indent(4) }}
)) is not true
{%- endif -%}
{% endtest %}
