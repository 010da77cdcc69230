{#- Post-hook of snapshots: a key has at most one open row, whatever builds beside us. -#}
{% macro index_open_rows() -%}
    create unique index if not exists {{ this.identifier }}_open
    on {{ this }} ({{ config.get('unique_key') }})
    where dbt_valid_to is null
{%- endmacro %}
