{#- The statement that grants privileges on relations; empty if there are none. -#}
{% macro grant_statement(privileges, kind, relations, role) -%}
    {%- if relations -%}
        grant {{ privileges }} on {{ kind }} {{ relations | join(', ') }} to {{ role }};
    {%- endif -%}
{%- endmacro %}
