{%- materialization incremental, adapter='postgres' -%}
    {%- set existing_relation = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set built = make_intermediate_relation(target_relation) -%}
    {%- set new_rows = make_temp_relation(target_relation) -%}
    {%- set on_schema_change = incremental_validate_on_schema_change(
        config.get('on_schema_change'), default='ignore'
    ) -%}
    {{ drop_relation_if_exists(load_cached_relation(built)) }}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {%- if existing_relation is none or existing_relation.is_view or should_full_refresh() -%}
        {%- do build_whole(target_relation, built, sql) -%}
        {%- set is_whole = true -%}
    {%- else -%}
        {%- set is_whole = false -%}
        {%- do _check_partitioning(target_relation, partitioning(model)) -%}
        {%- do run_query(get_create_table_as_sql(True, new_rows, sql)) -%}
        {%- set columns = none -%}
        {%- if config.get('contract').enforced and on_schema_change == 'fail' -%}
            {%- do _check_contract(target_relation) -%}
        {%- else -%}
            {%- if not config.get('contract').enforced -%}
                {%- do adapter.expand_target_column_types(
                    from_relation=new_rows, to_relation=target_relation
                ) -%}
            {%- endif -%}
            {%- set columns = process_schema_changes(
                on_schema_change, new_rows, existing_relation
            ) -%}
        {%- endif -%}
        {%- do _check_unique_key(target_relation, is_whole) -%}
        {%- do create_partitions_for(new_rows, target_relation, partitioning(model)) -%}
        {%- set strategy_sql = adapter.get_incremental_strategy_macro(
            context,
            config.get('incremental_strategy')
            or ('changed_rows' if changes_of(model) else 'default')
        ) -%}
        {%- call statement('main') -%}
            {{ strategy_sql({
                'target_relation': target_relation,
                'temp_relation': new_rows,
                'unique_key': config.get('unique_key'),
                'dest_columns': columns or adapter.get_columns_in_relation(existing_relation),
                'incremental_predicates':
                    config.get('predicates', none) or config.get('incremental_predicates', none),
            }) }}
        {%- endcall -%}
    {%- endif -%}

    {%- do apply_grants(target_relation, config.get('grants'), should_revoke=true) -%}
    {%- do persist_docs(target_relation, model) -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- if is_whole -%}
        {%- do _check_unique_key(target_relation, is_whole) -%}
    {%- endif -%}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target_relation]}) }}
{%- endmaterialization -%}

{% macro _check_partitioning(relation, wanted) -%}
    {%- if not is_partitioned(relation, wanted) -%}
        {{ exceptions.raise_compiler_error(
            relation.schema ~ '.' ~ relation.identifier ~ ' is left as it was: it is not partitioned'
            ~ ' as `partition_by` says\nHINT: Build it with --full-refresh.'
        ) }}
    {%- endif -%}
{%- endmacro %}

{#- Compares the table with the one that PostgreSQL makes of the contract; dbt compares only the columns
    of the query. The latter is temporary, so that no name of a constraint is taken, and has no foreign
    keys: to create one locks the other table against its readers. -#}
{% macro _check_contract(relation) -%}
    {%- set columns = {} -%}
    {%- for name, column in model.columns.items() -%}
        {%- set constraints = _without_foreign_keys(column.constraints) -%}
        {%- do columns.update({name: dict(column, constraints=constraints)}) -%}
    {%- endfor -%}
    {%- set parts = adapter.render_raw_columns_constraints(raw_columns=columns)
        + adapter.render_raw_model_constraints(
            raw_constraints=_without_foreign_keys(model.constraints)
        ) -%}
    {%- do run_query(
        'create temporary table contract_of_model (' ~ parts | join(', ') ~ ') on commit drop'
    ) -%}
    {%- do run_query(
        "select mrr_state.check_contract('" ~ relation ~ "', 'pg_temp.contract_of_model', '"
        ~ model.name ~ "')"
    ) -%}
    {%- do run_query('drop table pg_temp.contract_of_model') -%}
{%- endmacro %}

{% macro _without_foreign_keys(constraints) -%}
    {%- set kept = [] -%}
    {%- for constraint in constraints or [] if constraint.type != 'foreign_key' -%}
        {%- do kept.append(constraint) -%}
    {%- endfor -%}
    {{ return(kept) }}
{%- endmacro %}

{#- An increment finds the rows that it replaces by a unique index of their key. A contract, when all of
    it is built, also has to say NOT NULL; earlier versions did not ask for that. -#}
{% macro _check_unique_key(relation, is_whole) -%}
    {%- set strategy = config.get('incremental_strategy') or 'changed_rows' -%}
    {%- if changes_of(model) and strategy == 'changed_rows' -%}
        {%- set key = config.get('unique_key') -%}
        {%- set key = text_array([key] if key is string else key or []) -%}
        {%- do run_query(
            "select mrr_state.check_unique_key('" ~ relation ~ "', " ~ key ~ ', '
            ~ (is_whole and config.get('contract').enforced) ~ ", '" ~ model.name ~ "')"
        ) -%}
    {%- endif -%}
{%- endmacro %}
