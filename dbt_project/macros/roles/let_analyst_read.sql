{#- For a relation of `dwh` that a build has made or changed, in the same transaction. -#}
{% macro let_analyst_read(relation, withheld) -%}
    {%- if relation.schema == 'dwh' -%}
        {%- do run_query(
            "select mrr_state.grant_to_analyst('" ~ relation | string | replace("'", "''")
            ~ "'::regclass, " ~ withheld ~ ')'
        ) -%}
    {%- endif -%}
{%- endmacro %}
