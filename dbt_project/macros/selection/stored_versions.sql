{#- The versions that were stored before a node began to read. -#}
{% macro stored_versions() -%}
    {{ return("current_setting('tidemark.versions_read')::jsonb") }}
{%- endmacro %}
