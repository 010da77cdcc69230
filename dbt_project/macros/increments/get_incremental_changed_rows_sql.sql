{#- The strategy `changed_rows`: of the rows that were built anew, those that are no longer there
    are deleted, those that differ are updated, new ones are inserted; others are not touched. -#}
{% macro get_incremental_changed_rows_sql(arg_dict) %}
    {%- set row_key = changes_of(model)[0].key -%}
    {%- set unique_key = arg_dict.unique_key -%}
    {%- set unique_key = [unique_key] if unique_key is string else unique_key -%}
    {%- set columns = arg_dict.dest_columns | map(attribute='quoted') | list -%}
    delete from {{ arg_dict.target_relation }} as existing
    using {{ changed_rows() }} as changed
    where
        {{ same_key('existing', 'changed', row_key) }}
        and not exists (
            select 1
            from {{ arg_dict.temp_relation }} as built
            where {{ same_key('built', 'existing', unique_key) }}
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
