{#- A backup reads all layers, and writes what it did to the log. -#}
{% macro grants_of_backup(roles, found) -%}
    {%- set role = roles.backup -%}
    {%- set all = found.mrr + found.mrr_state + found.stg + found.dwh + found.control -%}
    revoke all on schema mrr, mrr_state, stg, dwh from {{ role }};
    {{ revoke_statement('table', all, role) }}
    {{ revoke_statement('sequence', found.sequences, role) }}

    grant usage on schema mrr, mrr_state, stg, dwh to {{ role }};
    {{ grant_statement('select', 'table', all, role) }}
    {{ grant_statement('select', 'sequence', found.sequences, role) }}
    grant insert, update on dwh.run_log to {{ role }};
    {% for kind in ['tables', 'sequences'] -%}
        alter default privileges for role {{ roles.loader or 'current_user' }} in schema mrr
            grant select on {{ kind }} to {{ role }};
        alter default privileges for role {{ roles.transformer or 'current_user' }}
            in schema stg, dwh grant select on {{ kind }} to {{ role }};
        alter default privileges in schema mrr_state, dwh
            grant select on {{ kind }} to {{ role }};
    {% endfor -%}
{%- endmacro %}
