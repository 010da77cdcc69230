{#- Whether the month of a day is one of those to build; all days, if all is built anew. -#}
{% macro is_of(day, months) -%}
    {%- if is_incremental() -%}
        has(cast({{ months.keys() | list }} as Array(String)), toString({{ month_of(day) }}))
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}
