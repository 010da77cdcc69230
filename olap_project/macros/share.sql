{#- Four digits, rounded as PostgreSQL rounds. A Decimal is cut off where it has no more digits, so
    16 are divided before. NULL if there is nothing to divide by; ClickHouse divides by what a NULL
    hides, too, so that this must not be zero. -#}
{% macro share(part, whole) -%}
    {%- set divisor = 'nullIf(toDecimal128(' ~ whole ~ ', 2), 0)' -%}
    if(
        {{ divisor }} is null,
        null,
        toDecimal64(
            round(divideDecimal(toDecimal128({{ part }}, 2), ifNull({{ divisor }}, 1), 16), 4), 4
        )
    )
{%- endmacro %}
