{#- dbt's own comparison of a snapshot with its table; of a large one, in a run, as far as the
    change log says that it changed. -#}
{% macro postgres__snapshot_staging_table(strategy, source_sql, target_relation) -%}
    {%- set changes = changes_of(model) -%}
    {%- if not changes or is_worked_whole(model.name, changes, 'built_to') -%}
        {{ return(default__snapshot_staging_table(strategy, source_sql, target_relation)) }}
    {%- endif -%}
    {%- set key, table = changes[0].key, changes[0].table -%}
    {%- set changed = '(' ~ key | join(', ') ~ ') in (' ~ changed_keys(table, model.name) ~ ')' -%}
    {{ return(default__snapshot_staging_table(
        strategy,
        'select * from (' ~ source_sql ~ ') as mirrored where ' ~ changed,
        '(select * from ' ~ target_relation ~ ' where ' ~ changed ~ ') as history'
    )) }}
{%- endmacro %}
