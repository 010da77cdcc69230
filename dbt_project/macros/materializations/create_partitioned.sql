{#- A table that was built is copied into a partitioned one: before it is built, nobody knows which
    partitions its rows need. -#}
{% macro create_partitioned(relation, built, wanted) -%}
    {%- do run_query(
        'create table ' ~ relation ~ ' (like ' ~ built ~ ' including all) partition by range ('
        ~ adapter.quote(wanted.column) ~ ')'
    ) -%}
    {%- do create_partitions_for(built, relation, wanted) -%}
    {%- do run_query('insert into ' ~ relation ~ ' select * from ' ~ built) -%}
    {%- do run_query('drop table ' ~ built) -%}
{%- endmacro %}
