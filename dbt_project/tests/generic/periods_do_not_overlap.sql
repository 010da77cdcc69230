{% test periods_do_not_overlap(model, key, valid_from, valid_to) %}
{%- set version_of = key if key is string else key | join(', ') %}

with periods as (

    select
        {{ version_of }},
        {{ valid_from }} as period_start,
        coalesce({{ valid_to }}, 'infinity') as period_end,
        lead({{ valid_from }}, 1, 'infinity') over (
            partition by {{ version_of }} order by {{ valid_from }}, {{ valid_to }}
        ) as next_start
    from {{ model }}

)

select * from periods
where period_end > next_start or period_end < period_start

{% endtest %}
