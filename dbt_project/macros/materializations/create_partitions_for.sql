{% macro create_partitions_for(rows, relation, wanted) -%}
    {%- if wanted -%}
        {%- do run_query(
            "select mrr_state.create_partitions('" ~ relation ~ "', '" ~ rows ~ "', "
            ~ wanted.arguments ~ ')'
        ) -%}
    {%- endif -%}
{%- endmacro %}
