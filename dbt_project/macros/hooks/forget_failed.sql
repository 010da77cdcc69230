{#- A test that warns is told again by the next run too. -#}
{% macro forget_failed(results) %}
    {%- set failed = [] -%}
    {%- for result in results if result.status | string not in ['success', 'pass', 'no-op'] -%}
        {%- do failed.append(result.node.unique_id) -%}
    {%- endfor -%}
    {%- if is_building() -%}
        select mrr_state.forget_builds({{ text_array(failed) }})
    {%- endif -%}
{% endmacro %}
