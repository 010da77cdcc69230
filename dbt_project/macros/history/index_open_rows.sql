{% macro index_open_rows() -%}
    {%- set key = config.get('unique_key') %}
    create unique index if not exists {{ adapter.quote(this.identifier ~ '_open') }}
    on {{ this }} ({{ key if key is string else key | join(', ') }})
    where dbt_valid_to is null
{%- endmacro %}
