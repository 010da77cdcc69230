{#- Not so with --empty and --sample. With --defer, other relations may have been read. -#}
{% macro builds_all_rows() -%}
    {{ return(not (flags.EMPTY or flags.SAMPLE or flags.DEFER)) }}
{%- endmacro %}
