{#- dbt drops what rests on it too, whoever made it; PostgreSQL names it. -#}
{% macro postgres__drop_table(relation) -%}
    drop table if exists {{ relation }}
{%- endmacro %}
