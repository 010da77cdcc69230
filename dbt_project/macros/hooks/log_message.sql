{% macro log_message(result) %}
    {%- if result.node.resource_type == 'unit_test' and result.status == 'fail' -%}
        {{ return('the rows differ from those expected') }}
    {%- elif result.failures -%}
        {{ return(result.failures ~ ' rows fail') }}
    {%- endif -%}
    {{ return(_without_values(result.message or '')) }}
{% endmacro %}

{% macro _without_values(message) %}
    {%- set storable = message.replace('\x00', '').encode('utf-8', 'replace').decode('utf-8') -%}
    {%- set details =
        '(?m)^ *(DETAIL|LINE [0-9]+):.*(\n *\\^ *$)?'
        '|^ *CONTEXT:(?s:.*?)(?= *compiled code at|\\Z)'
    -%}
    {%- set refused =
        '(invalid [^\n"]*|out of range: |\\bvalue (?="[^\n]*" is out of range))".*"'
    -%}
    {{ return(
        modules.re.sub(refused, '\\1"…"', modules.re.sub(details, '', storable)).strip()
    ) }}
{% endmacro %}
