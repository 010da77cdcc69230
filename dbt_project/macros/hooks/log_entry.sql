{% macro log_entry(result) %}
    {%- set statuses = {
        'success': 'success', 'pass': 'success', 'no-op': 'success',
        'warn': 'warning', 'partial success': 'warning',
        'skipped': 'skipped',
    } -%}
    {%- set status = statuses.get(result.status | string, 'error') -%}
    {%- set times = result.timing | selectattr('started_at') | list -%}
    {%- set rows = none -%}
    {%- if result.node.resource_type in ['model', 'seed', 'snapshot'] -%}
        {%- set rows = (result.adapter_response or {}).get('rows_affected') -%}
    {%- endif -%}
    {{ return({
        'step': result.node.name,
        'status': status,
        'started_at': times[0].started_at.isoformat() ~ 'Z' if times else none,
        'execution_seconds': result.execution_time,
        'rows_affected': rows if rows is integer and rows >= 0 else none,
        'error_message': none if status == 'success' else log_message(result),
    }) }}
{% endmacro %}
