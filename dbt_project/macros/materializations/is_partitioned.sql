{% macro is_partitioned(relation, wanted) -%}
    {{ return(run_query(
        "select mrr_state.is_partitioned_by('" ~ relation ~ "', "
        ~ (wanted.arguments if wanted else 'null, null') ~ ')'
    ).columns[0][0]) }}
{%- endmacro %}
