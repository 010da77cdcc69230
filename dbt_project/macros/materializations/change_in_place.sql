{% macro change_in_place(relation, statements) -%}
    {%- set tag = '$sql_' ~ invocation_id | replace('-', '') ~ '$' -%}
    {%- do run_query(
        "select mrr_state.change_relation('" ~ relation ~ "', array["
        ~ tag ~ statements | join(tag ~ ', ' ~ tag) ~ tag ~ '], ' ~ views_of_build() ~ ')'
    ) -%}
{%- endmacro %}
