-- As in dbt_project/macros/marts: a dbt project reads no macros of another one that it does not install.
{% macro last_day_of_part(day, last_day) -%}
    {%- set lengths = var('reporting_period_days') -%}
    case
        when {{ day }} > {{ last_day }} - {{ lengths[0] }} then {{ last_day }}
        {%- for length in lengths[1:] %}
        when {{ day }} > {{ last_day }} - {{ length }} then {{ last_day }} - {{ lengths[loop.index0] }}
        {%- endfor %}
        when {{ day }} is not null then {{ last_day }} - {{ lengths[-1] }}
    end
{%- endmacro %}
