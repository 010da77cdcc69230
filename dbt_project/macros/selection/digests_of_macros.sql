{#- A digest of the text of each macro and of all that it calls, with the values of the variables
    that they name. Digests are kept in `known`. -#}
{% macro digests_of_macros(calls, known) -%}
    {%- set digests = [] -%}
    {%- for call in calls -%}
        {%- if call not in known -%}
            {%- do known.update({call: _digest_of_macro(call)}) -%}
        {%- endif -%}
        {%- do digests.append(known[call]) -%}
    {%- endfor -%}
    {{ return(digests | sort) }}
{%- endmacro %}

{% macro _digest_of_macro(call) -%}
    {%- set texts = {} -%}
    {%- set calls = [call] -%}
    {%- for one in calls if one not in texts -%}
        {%- set macro = macro_of(one) -%}
        {%- if macro -%}
            {%- do texts.update({one: macro.macro_sql}) -%}
            {%- do calls.extend(macro.depends_on.macros) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(local_md5(
        tojson([texts, values_named_in(texts.values() | join('\n'))], sort_keys=true)
    )) }}
{%- endmacro %}
