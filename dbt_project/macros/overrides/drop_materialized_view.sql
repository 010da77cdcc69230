{#- dbt drops what rests on it too, whoever made it; PostgreSQL names it. -#}
{% macro postgres__drop_materialized_view(relation) -%}
    drop materialized view if exists {{ relation }}
{%- endmacro %}
