{% macro check_session() %}
    {%- if is_building() -%}
        {{ _check_session(target, {
            'PGHOSTADDR': env_var('PGHOSTADDR', ''), 'PGSERVICE': env_var('PGSERVICE', '')
        }) }}
    {%- endif -%}
{% endmacro %}

{% macro _check_session(target, environment) %}
    {%- for name, value in environment.items() if value -%}
        {{ _refuse(name, 'set, and leads dbt to another server than WAREHOUSE_HOST', 'Unset it.') }}
    {%- endfor -%}
    {%- set settings = _session_settings(target.role or '') -%}
    {%- if not settings -%}
        {{ _refuse(
            'profile ' ~ target.profile_name,
            'it does not set the settings of a session',
            'Use the profiles.yml of this project, as eval "$(python run.py env)" sets it.'
        ) }}
    {%- endif -%}
    {%- set first = _session_facts(settings) -%}
    {%- for _ in range(3)
        if first.connections != 1 or _session_facts(settings).pid != first.pid -%}
        {{ _refuse(
            'warehouse ' ~ target.host ~ ':' ~ target.port,
            'a pooler shares server sessions, or does not reset them',
            'Set its pool_mode to session, with a server_reset_query, or connect directly.'
        ) }}
    {%- endfor -%}
    {%- for name, value, wanted in first.wrong -%}
        {{ _refuse(
            name ~ ' is ' ~ value,
            'dbt needs ' ~ wanted,
            'Unset what changes it, or repeat eval "$(python run.py env)".'
        ) }}
    {%- endfor -%}
{% endmacro %}

{#- The settings that statements `set name = 'value'` make, and the encoding, which libpq
    negotiates. Settings of TCP are left out, since a Unix socket does not have them. -#}
{% macro _session_settings(sql) %}
    {%- set settings = modules.re.findall("set (?!tcp_)([a-z_.]+) = '([^']*)'", sql) -%}
    {{ return(settings + [('client_encoding', 'UTF8')] if settings else []) }}
{% endmacro %}

{#- The settings that differ from the wanted ones, and the server session. -#}
{% macro _session_facts(settings) %}
    {%- set rows = run_query(
        "select wanted.name, current_setting(wanted.name, true), wanted.value, pg_backend_pid(),"
        " current_setting('tidemark.connections', true)"
        " from (values ('" ~ settings | map('join', "', '") | join("'), ('")
        ~ "'), ('', '')) as wanted (name, value) where wanted.name = ''"
        " or current_setting(wanted.name, true) is distinct from wanted.value order by wanted.name"
    ).rows -%}
    {%- set wrong = [] -%}
    {%- for row in rows[1:] -%}
        {%- do wrong.append((row[0], row[1], row[2])) -%}
    {%- endfor -%}
    {{ return({
        'wrong': wrong, 'pid': rows[0][3], 'connections': (rows[0][4] or 0) | int,
    }) }}
{% endmacro %}

{% macro _refuse(object, problem, remedy) %}
    {{ exceptions.raise_compiler_error(object ~ ': ' ~ problem ~ '\nHINT: ' ~ remedy) }}
{% endmacro %}
