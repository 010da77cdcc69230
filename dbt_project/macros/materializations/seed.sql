{#- A seed is a table like any other: where its file has not changed, nothing is written. A change of
    it is in no change log, so that the models below it read everything again. -#}
{%- materialization seed, adapter='postgres' -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set built = make_intermediate_relation(target_relation) -%}
    {%- set rows = load_agate_table() -%}
    {#- what `dbt seed --show` shows -#}
    {%- do store_result('agate_table', response='OK', agate_table=rows) -%}
    {{ drop_relation_if_exists(load_cached_relation(built)) }}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {%- do build_whole(
        target_relation,
        built,
        select_of_rows(rows, config.get('column_types', default={}), config.get('quote_columns'))
    ) -%}
    {%- set response = load_result('main').response -%}
    {%- if response.code != 'CHANGED' or response.rows_affected > 0 -%}
        {%- do run_query(
            'update mrr_state.model_position set built_to = -1 where model_name = any('
            ~ text_array(positions_below(model.unique_id)) ~ ')'
        ) -%}
    {%- endif -%}

    {%- do apply_grants(target_relation, config.get('grants'), should_revoke=true) -%}
    {%- do persist_docs(target_relation, model) -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target_relation]}) }}
{%- endmaterialization -%}
