{% macro unread_rows() -%}
    pg_temp.{{ adapter.quote(this.identifier ~ '__unread') }}
{%- endmacro %}
