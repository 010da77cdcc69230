{#- Pre-hook: of two builds of a model at once, one waits for the other. The lock outlasts the
    transaction, since dbt drops what it replaced only after it; see unlock_model.

    It is not taken before the transaction, for a hook there makes dbt-postgres run the whole
    model without one. -#}
{% macro lock_model() -%}
    select pg_advisory_lock(hashtextextended('{{ this }}', 0))
{%- endmacro %}
