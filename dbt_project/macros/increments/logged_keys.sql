{#- A query for the keys of a mirrored table that stand in the change log, which is cut at the end
    of each run: those that changed in this one, and what an earlier one did not build. -#}
{% macro logged_keys(table) -%}
    {%- set mirrored = mirrored_table(table) -%}
    select logged.{{ mirrored.key | join(', logged.') }}
    from {{ source('state', 'change_log') }} as change_log
    cross join lateral jsonb_populate_record(null::{{ mirrored.relation }}, change_log.row_key)
        as logged
    where change_log.table_name = '{{ table }}' and change_log.row_key is not null
{%- endmacro %}
