{#- The open rows of a history are the rows of its mirrored table, as far as it has been read. -#}
{% test open_rows_equal_mirror(model, table) %}
{%- set mirrored = mirrored_table(table) -%}
{%- set mirrored_columns = adapter.get_columns_in_relation(mirrored.relation) -%}
{%- set columns = mirrored_columns | map(attribute='quoted') | join(', ') -%}

with mirror_rows as (

    select {{ columns }} from {{ mirrored.relation }}

),

open_rows as (

    select {{ columns }} from {{ model }} where dbt_valid_to is null

),

differences as (

    select 'only in the mirror' as found, missing.*
    from (select * from mirror_rows except select * from open_rows) as missing
    union all
    select 'only in the history' as found, extra.*
    from (select * from open_rows except select * from mirror_rows) as extra

)

select * from differences
where {{ mirrored.key }} not in (
    {{ changed_keys(table, model.identifier, mirrored.key) | indent(4) }}
)

{% endtest %}
