{#- A transformer reads the mirror and its state, and builds `stg` and `dwh`: it owns what it makes
    there. Of the state it writes what it has built, of the control tables its own log. It does not read
    the secret by which erased persons are known. Its routines are in `mrr_state` and `dwh`. -#}
{% macro grants_of_transformer(roles, found) -%}
    {%- set role = roles.transformer -%}
    {%- set state = [] -%}
    {%- for relation in found.mrr_state if relation != 'mrr_state.person_secret' -%}
        {%- do state.append(relation) -%}
    {%- endfor -%}
    grant usage on schema mrr to {{ role }};
    grant usage, create on schema mrr_state, stg, dwh to {{ role }};
    {{ grant_statement('select', 'table', found.mrr + state + found.control, role) }}
    grant insert, update on mrr_state.model_position, mrr_state.built_node to {{ role }};
    grant insert, delete on mrr_state.relation_property to {{ role }};
    grant insert on dwh.run_log, dwh.procedure_errors, dwh.stored_routines to {{ role }};
    grant update on dwh.stored_routines to {{ role }};
    grant usage on sequence mrr_state.build_version to {{ role }};
    grant execute on function mrr_state.lock_changes() to {{ role }};
    alter default privileges in schema mrr, mrr_state grant select on tables to {{ role }};
    {% if roles.loader -%}
        alter default privileges for role {{ roles.loader }} in schema mrr
            grant select on tables to {{ role }};
    {%- endif %}
{%- endmacro %}
