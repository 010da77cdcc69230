{#- Only PostgreSQL can tell whether a view equals its model, so the model is first created as a
    temporary view, and the two are compared. The materialization of dbt creates every view again in
    every build, and drops what depends on it without notice. -#}
{%- materialization view, adapter='postgres' -%}
    {%- set target_relation = this.incorporate(type='view') -%}
    {%- set probe = adapter.quote(this.identifier ~ '__dbt_tmp') -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {%- call statement('main') -%}
        {{ config.get('sql_header', '') }}
        create temporary view {{ probe }} as (
            {{ sql }}
        )
    {%- endcall -%}
    {%- set found = run_query(
        "select mrr_state.view_state('" ~ this ~ "', 'pg_temp." ~ probe ~ "'),"
        " mrr_state.keeps_contract('pg_temp." ~ probe ~ "', " ~ declared_types(model.columns) ~ ")"
    ).rows[0] -%}
    {%- set state = found[0] -%}
    {%- if config.get('contract').enforced and not found[1] -%}
        {%- do get_assert_columns_equivalent(sql) -%}
    {%- endif -%}
    {%- do run_query('drop view pg_temp.' ~ probe) -%}

    {%- if state == 'missing' -%}
        {%- do run_query('create view ' ~ this ~ ' as (\n' ~ sql ~ '\n)') -%}
        {%- do run_query("select mrr_state.restore_properties('" ~ this ~ "')") -%}
    {%- elif state == 'replaceable' -%}
        {%- do change_in_place(this, [
            'create or replace view ' ~ this ~ view_options(this) ~ ' as (\n' ~ sql ~ '\n)'
        ]) -%}
    {%- elif state == 'other' -%}
        {%- set built = make_intermediate_relation(target_relation) -%}
        {%- do run_query('create view ' ~ built ~ ' as (\n' ~ sql ~ '\n)') -%}
        {%- do put_in_place(this, built) -%}
    {%- endif -%}

    {%- do apply_grants(target_relation, config.get('grants'), should_revoke=true) -%}
    {%- do persist_docs(target_relation, model) -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target_relation]}) }}
{%- endmaterialization -%}
