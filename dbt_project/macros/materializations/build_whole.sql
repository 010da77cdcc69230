{#- New columns are committed before the rows are changed, since the change of a column blocks
    readers until the end of its transaction. -#}
{% macro build_whole(target, built, sql) -%}
    {%- set wanted = partitioning(model) -%}
    {%- if not run_query("select to_regclass('" ~ target ~ "') is not null").columns[0][0] -%}
        {%- set created = built if wanted else target -%}
        {%- call statement('main') -%}
            {{ get_create_table_as_sql(False, created, sql) }}
        {%- endcall -%}
        {%- if wanted -%}
            {%- do create_partitioned(target, built, wanted) -%}
        {%- endif -%}
        {%- do create_indexes(target) -%}
        {%- do run_query("select mrr_state.restore_properties('" ~ target ~ "')") -%}
        {{ return('') }}
    {%- endif -%}

    {%- call statement('main') -%}
        {{ get_create_table_as_sql(False, built, sql) }}
    {%- endcall -%}
    {#- others see it, once the new columns are committed -#}
    {%- do let_analyst_read(built, 'null::text[]') -%}
    {%- set changes = {'replace': [], 'before': [], 'after': []} -%}
    {%- for row in run_query(
        "select * from mrr_state.table_changes('" ~ target ~ "', '" ~ built ~ "')"
    ) -%}
        {%- do changes[row[0]].append(row[1]) -%}
    {%- endfor -%}

    {%- if changes['replace'] or not is_partitioned(target, wanted) -%}
        {%- set whole = make_intermediate_relation(target, '__parts') if wanted else built -%}
        {%- if wanted -%}
            {%- do create_partitioned(whole, built, wanted) -%}
        {%- endif -%}
        {%- do create_indexes(whole) -%}
        {%- do run_query("select mrr_state.copy_indexes('" ~ target ~ "', '" ~ whole ~ "')") -%}
        {%- do put_in_place(target, whole) -%}
        {{ return('') }}
    {%- endif -%}
    {%- if changes.before -%}
        {%- do change_in_place(target, changes.before) -%}
        {%- do let_analyst_read(target, withheld_columns(model, var('withheld_tags'))) -%}
        {%- call statement() -%}
            commit; begin; {{ lock_model() }}
        {%- endcall -%}
    {%- endif -%}
    {%- do create_partitions_for(built, target, wanted) -%}
    {%- set changed_rows = run_query(
        "select mrr_state.apply_differences('" ~ target ~ "', '" ~ built ~ "')"
    ).columns[0][0] -%}
    {%- do run_query('drop table ' ~ built) -%}
    {%- if changes.after -%}
        {%- do change_in_place(target, changes.after) -%}
    {%- endif -%}
    {%- do create_missing_indexes(target) -%}
    {%- do store_raw_result(
        'main', message='CHANGED ' ~ changed_rows, code='CHANGED', rows_affected=changed_rows | int
    ) -%}
{%- endmacro %}
