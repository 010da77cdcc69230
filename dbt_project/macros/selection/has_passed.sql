{#- The change log tells which rows the last build of a node wrote, and no earlier one. So the test
    must have passed on what that build or the one before it left. -#}
{% macro has_passed(unique_id, node) -%}
    {{ return(run_query(
        "select exists (select from mrr_state.built_node as test"
        " left join mrr_state.built_node as tested on tested.unique_id = '" ~ node.unique_id ~ "'"
        " where test.unique_id = '" ~ unique_id ~ "'"
        " and test.fingerprint = '" ~ record_of(unique_id).fingerprint ~ "'"
        " and (tested.unique_id is null or test.inputs ->> tested.unique_id in ("
        "tested.build_version::text, tested.previous_version::text)))"
    ).columns[0][0]) }}
{%- endmacro %}
