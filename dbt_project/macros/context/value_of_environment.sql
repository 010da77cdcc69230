{% macro value_of_environment(name) -%}
    {{ return(env_var(name, 'not set')) }}
{%- endmacro %}
