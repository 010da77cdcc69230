{% macro reads_increment() -%}
    {{ return(
        execute and flags.WHICH in ['build', 'run'] and this is not none and is_incremental()
    ) }}
{%- endmacro %}
