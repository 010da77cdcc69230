{% macro postgres__snapshot_staging_table(strategy, source_sql, target_relation) -%}
    {%- set changes = changes_of(model) -%}
    {%- if not changes or is_read_whole(model, unread_changes(model)) -%}
        {{ return(default__snapshot_staging_table(strategy, source_sql, target_relation)) }}
    {%- endif -%}
    {%- set unread = logged_keys('(' ~ unread_changes(model) ~ ')', changes[0].table) -%}
    {%- set is_unread = '(' ~ changes[0].key | join(', ') ~ ') in (' ~ unread ~ ')' -%}
    {{ return(default__snapshot_staging_table(
        strategy,
        'select * from (' ~ source_sql ~ ') as current_rows where ' ~ is_unread,
        '(select * from ' ~ target_relation ~ ' where ' ~ is_unread ~ ') as history'
    )) }}
{%- endmacro %}
