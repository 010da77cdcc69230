{#- The filters to numbers are for sqlfluff, whose stand-in of a variable is a text. -#}
{% macro age_band(age) -%}
    {%- set bounds = var('ecommerce_age_bands') -%}
    case
        when {{ age }} >= {{ bounds[-1] }} then '{{ bounds[-1] }}+'
        {%- for bound in bounds[:-1] | reverse %}
        when {{ age }} >= {{ bound }} then '{{ bound }}-{{ bounds[loop.revindex] | int - 1 }}'
        {%- endfor %}
    end
{%- endmacro %}
