{#- The hash that `months_to_build` has found for the month of a day; 0 for a month that has come
    since, which the next build makes again. -#}
{% macro parts_of(day, months) -%}
    transform(
        toString({{ month_of(day) }}),
        cast({{ months.keys() | list }} as Array(String)),
        cast({{ months.values() | list }} as Array(UInt64)),
        toUInt64(0)
    )
{%- endmacro %}
