{#- Such as `numeric` for `numeric(10,2)`. -#}
{% macro type_without_size(type) -%}
    {{ return(modules.re.sub('\\s*\\(.*', '', type | lower | trim)) }}
{%- endmacro %}
