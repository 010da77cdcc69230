{#- `undefined` is a type of BSON that no application writes any more. -#}
{% macro value_at(json, path) -%}
    {%- set names = path.split('.') if path is string else path -%}
    {%- if path == '.' -%}
        {%- set value = json -%}
    {%- elif names | length == 1 -%}
        {%- set value = json ~ " -> '" ~ (names[0] | replace("'", "''")) ~ "'" -%}
    {%- else -%}
        {%- set quoted = [] -%}
        {%- for name in names -%}
            {%- do quoted.append("'" ~ (name | string | replace("'", "''")) ~ "'") -%}
        {%- endfor -%}
        {%- set value = json ~ ' #> array[' ~ quoted | join(', ') ~ ']' -%}
    {%- endif -%}
    nullif(nullif({{ value }}, 'null'), '{"$undefined": true}')
{%- endmacro %}
