{#- A loader writes the mirror, what is remembered of it, and the control tables. It owns the tables
    that it makes. It alone reads the keys of persons who were erased. In `stg` and `dwh` it may only
    learn which relations there are. -#}
{% macro grants_of_loader(roles, found) -%}
    {%- set role = roles.loader -%}
    {%- set read = found.mrr_state + found.control -%}
    {%- set written = [] -%}
    {%- for relation in read if relation not in _kept_from_loader() -%}
        {%- do written.append(relation) -%}
    {%- endfor -%}
    grant usage, create on schema mrr to {{ role }};
    grant usage on schema mrr_state, stg, dwh to {{ role }};
    {{ grant_statement('select', 'table', read, role) }}
    {{ grant_statement('insert, update, delete', 'table', written, role) }}
    grant execute on function
        mrr_state.analyze_changes(), mrr_state.drop_staging_views(regclass)
    to {{ role }};
    grant usage on schema mrr_forgotten to {{ role }};
    grant select, insert, delete on mrr_forgotten.forgotten_key to {{ role }};
    alter default privileges in schema mrr_state
        grant select, insert, update, delete on tables to {{ role }};
{%- endmacro %}

{#- What others do by these tables, they do with their own rights: apply migrations, run the statements
    that restore grants, grant what an analyst may read, and erase a person. -#}
{% macro _kept_from_loader() -%}
    {{ return([
        'mrr_state.applied_step', 'mrr_state.mask_key', 'mrr_state.relation_property',
        'mrr_state.role_account', 'mrr_state.person_secret', 'mrr_state.forgotten_person'
    ]) }}
{%- endmacro %}
