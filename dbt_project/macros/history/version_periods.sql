{#- A query for the versions of those members that `facts` name, each with the time it stands for:
    from its valid_from until the next version's, the first one from the beginning of time. -#}
{% macro version_periods(dimension, key, natural_key, facts) -%}
    select
        versions.{{ key }},
        versions.{{ natural_key }},
        case
            when row_number() over member = 1 then '-infinity'
            else versions.valid_from
        end as stands_from,
        lead(versions.valid_from, 1, 'infinity') over member as stands_to
    from {{ dimension }} as versions
    where versions.{{ natural_key }} in (select {{ facts }}.{{ natural_key }} from {{ facts }})
    window member as (partition by versions.{{ natural_key }} order by versions.valid_from)
{%- endmacro %}
