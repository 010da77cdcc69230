{% macro is_building() -%}
    {{ return(execute and _is_building(flags.WHICH)) }}
{%- endmacro %}

{% macro _is_building(command) -%}
    {{ return(command in ['build', 'run', 'seed', 'snapshot', 'test', 'run-operation']) }}
{%- endmacro %}
