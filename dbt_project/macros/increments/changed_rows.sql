{#- The temporary table of the keys that a model builds anew, in the columns that the first entry of
    its `changes` names. -#}
{% macro changed_rows() -%}
    pg_temp.{{ adapter.quote(this.identifier ~ '__changed') }}
{%- endmacro %}
