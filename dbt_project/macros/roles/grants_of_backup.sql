{#- A backup reads all layers, and writes what it did to the log. -#}
{% macro grants_of_backup(roles, found) -%}
    {%- set role = roles.backup -%}
    {%- set all = found.mrr + found.mrr_state + found.stg + found.dwh + found.control -%}
    grant usage on schema mrr, mrr_state, stg, dwh to {{ role }};
    {{ grant_statement('select', 'table', all, role) }}
    {{ grant_statement('select', 'sequence', found.sequences, role) }}
    grant insert, update on dwh.run_log to {{ role }};
    {% for kind in ['tables', 'sequences'] -%}
        alter default privileges in schema mrr, mrr_state, stg, dwh
            grant select on {{ kind }} to {{ role }};
        {% if roles.loader -%}
            alter default privileges for role {{ roles.loader }} in schema mrr
                grant select on {{ kind }} to {{ role }};
        {%- endif %}
        {% if roles.transformer -%}
            alter default privileges for role {{ roles.transformer }} in schema stg, dwh
                grant select on {{ kind }} to {{ role }};
        {%- endif %}
    {% endfor -%}
{%- endmacro %}
