{#- They belong to the session, since some builds commit before they end. -#}
{% macro store_versions(record) -%}
    select set_config('tidemark.versions_read', {{ record.versions_read }}::text, false)
{%- endmacro %}
