{#- A number that its type would round, or cannot hold, is none of it. -#}
{% macro number_as(type, number) -%}
    {%- set bounds = {
        'smallint': ['-32768', '32767'],
        'integer': ['-2147483648', '2147483647'],
        'bigint': ['-9223372036854775808', '9223372036854775807'],
    }[type_without_size(type)] -%}
    {%- set sizes = modules.re.findall('[0-9]+', type) | map('int') | list -%}
    {%- if bounds -%}
        case
            when
                {{ number }} between {{ bounds[0] }} and {{ bounds[1] }}
                and {{ number }} = trunc({{ number }})
                then {{ number }}::{{ type }}
        end
    {%- elif type_without_size(type) == 'double precision' -%}
        case
            when
                {{ number }} = 0
                or abs({{ number }}) between 4.95e-324 and 1.7976931348623157e308
                or {{ number }} in ('NaN', 'Infinity', '-Infinity')
                then {{ number }}::{{ type }}
        end
    {%- elif sizes -%}
        {%- set scale = sizes[1] if sizes | length > 1 else 0 -%}
        case
            when
                {{ number }} = 'NaN'
                or (
                    {{ number }} = round({{ number }}, {{ scale }})
                    and abs({{ number }}) < 1e{{ sizes[0] - scale }}
                )
                then {{ number }}::{{ type }}
        end
    {%- else -%}
        {{ number }}
    {%- endif -%}
{%- endmacro %}
