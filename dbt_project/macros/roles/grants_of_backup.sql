{#- A backup reads all layers, and writes what it did to the log. An export does the same, and holds
    its position in the change log. -#}
{% macro grants_of_backup(roles, found) -%}
    {%- set role = roles.backup -%}
    {%- set all = found.mrr + found.mrr_state + found.stg + found.dwh + found.control -%}
    grant usage on schema mrr, mrr_state, stg, dwh to {{ role }};
    {{ grant_statement('select', 'table', all, role) }}
    {{ grant_statement('select', 'sequence', found.sequences, role) }}
    grant insert, update on dwh.run_log to {{ role }};
    grant insert, update, delete on mrr_state.export_position to {{ role }};
    grant delete on mrr_state.export_change to {{ role }};
    grant insert on mrr_state.exported_table to {{ role }};
    grant insert, update on mrr_state.iceberg_tables to {{ role }};
    grant insert on mrr_state.iceberg_namespace_properties to {{ role }};
    grant execute on function mrr_state.lock_changes() to {{ role }};
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
