{#- The temporary table of the keys that a model builds anew, in the column named by the first
    entry of its `changes`. -#}
{% macro changed_rows() -%}
    pg_temp.{{ adapter.quote(this.identifier ~ '__changed') }}
{%- endmacro %}
