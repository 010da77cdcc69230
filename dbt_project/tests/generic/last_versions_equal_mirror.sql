{% test last_versions_equal_mirror(model, key, mirror, rejected) %}
{%- if execute -%}
{%- set dimension = tested_node() -%}
{%- set mirror_key = mirrored_table(mirror.identifier).key %}

with mirrored as (

    select {{ mirror_key[0] }} as {{ key }}
    from {{ mirror }}
    where {{ rows_to_test(dimension, mirror_key) or 'true' }}

),

rejected as (

    select {{ key }}
    from {{ rejected }}
    where {{ rows_to_test(dimension) or 'true' }}

),

last_versions as (

    select
        {{ key }},
        count(*) filter (where is_current) as current_count,
        count(*) filter (where is_deleted) as deleted_count
    from {{ model }}
    where {{ key }} is not null
    group by {{ key }}

),

rows_with_versions as (

    select
        coalesce(mirrored.{{ key }}, last_versions.{{ key }}) as {{ key }},
        mirrored.{{ key }} is not null and rejected.{{ key }} is null as is_valid,
        coalesce(last_versions.current_count, 0) as current_count,
        coalesce(last_versions.deleted_count, 0) as deleted_count
    from mirrored
    left join rejected
        on mirrored.{{ key }} = rejected.{{ key }}
    full join last_versions
        on mirrored.{{ key }} = last_versions.{{ key }}

)

select * from rows_with_versions
where
    (
        (is_valid and (current_count <> 1 or deleted_count <> 0))
        or (not is_valid and (current_count <> 0 or deleted_count > 1))
    )
    and {{ key }} not in (
        {{ unread_keys(dimension, mirror.identifier) | indent(8) }}
    )
{%- endif -%}
{% endtest %}
