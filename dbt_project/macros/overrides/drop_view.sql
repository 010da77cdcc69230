{#- dbt drops what rests on it too, whoever made it; PostgreSQL names it. -#}
{% macro postgres__drop_view(relation) -%}
    drop view if exists {{ relation }}
{%- endmacro %}
