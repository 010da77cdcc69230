{% macro put_in_place(relation, built) -%}
    {%- do run_query(
        "select mrr_state.replace_relation('" ~ relation ~ "', '" ~ built ~ "', "
        ~ views_of_build() ~ ')'
    ) -%}
{%- endmacro %}
