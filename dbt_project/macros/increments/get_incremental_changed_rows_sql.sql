{% macro get_incremental_changed_rows_sql(arg_dict) %}
    {%- set unique_key = arg_dict.unique_key -%}
    {%- set unique_key = [unique_key] if unique_key is string else unique_key -%}
    {%- set columns = arg_dict.dest_columns | map(attribute='quoted') | list -%}
    delete from {{ arg_dict.target_relation }} as existing
    using {{ unread_rows() }} as unread
    where
        {{ _same_key('existing', 'unread', changes_of(model)[0].key) }}
        and not exists (
            select 1
            from {{ arg_dict.temp_relation }} as built
            where {{ _same_key('built', 'existing', unique_key) }}
        );

    insert into {{ arg_dict.target_relation }} as existing ({{ columns | join(', ') }})
    select {{ columns | join(', ') }}
    from {{ arg_dict.temp_relation }}
    on conflict ({{ unique_key | join(', ') }}) do update set
        {% for column in columns -%}
            {{ column }} = excluded.{{ column }}{{ ',' if not loop.last }}
        {% endfor -%}
    where
        (existing.{{ columns | join(', existing.') }})
        is distinct from (excluded.{{ columns | join(', excluded.') }})
{% endmacro %}

{#- The condition that two relations have the same key; `key` lists its columns as in SQL. -#}
{% macro _same_key(one, other, key) -%}
    {%- for column in key -%}
        {{ one }}.{{ column }} = {{ other }}.{{ column }}{{ ' and ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
