{% macro logged_keys(changes, table) -%}
    {%- set mirrored = mirrored_table(table) -%}
    select logged.{{ mirrored.key | join(', logged.') }}
    from {{ changes }} as changes
    cross join lateral jsonb_populate_record(null::{{ mirrored.relation }}, changes.row_key)
        as logged
    where changes.table_name = '{{ table }}' and changes.operation <> 'load'
{%- endmacro %}
