{#- Post-hook after the transaction: lets the next build of the model pass. After a failure the
    end of the connection does. -#}
{% macro unlock_model() -%}
    select pg_advisory_unlock(hashtextextended('{{ this }}', 0))
{%- endmacro %}
