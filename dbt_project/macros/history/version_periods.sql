{% macro version_periods(dimension, key, natural_key, facts) -%}
    {%- set member_key = [natural_key] if natural_key is string else natural_key -%}
    {%- set member = 'versions.' ~ member_key | join(', versions.') -%}
    select
        versions.{{ key }},
        {{ member }},
        case
            when row_number() over member = 1 then '-infinity'
            else versions.valid_from
        end as period_start,
        lead(versions.valid_from, 1, 'infinity') over member as period_end
    from {{ dimension }} as versions
    where ({{ member }}) in (
        select {{ facts }}.{{ member_key | join(', ' ~ facts ~ '.') }} from {{ facts }}
    )
    window member as (partition by {{ member }} order by versions.valid_from)
{%- endmacro %}
