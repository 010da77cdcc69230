{#- The statement that revokes all privileges on relations; empty if there are none. -#}
{% macro revoke_statement(kind, relations, role) -%}
    {%- if relations -%}
        revoke all on {{ kind }} {{ relations | join(', ') }} from {{ role }};
    {%- endif -%}
{%- endmacro %}
