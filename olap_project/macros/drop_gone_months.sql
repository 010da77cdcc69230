{#- Drop the months of the model that its source has no longer; what is built replaces others only. -#}
{% macro drop_gone_months(table) -%}
    {%- if execute and is_incremental() -%}
        {%- set left = run_query(months_of_source(table)).columns[0].values() | map('string') | list -%}
        {%- set found = run_query('select distinct _partition_id from ' ~ this) -%}
        {%- set local = this.incorporate(path={'identifier': this.identifier ~ '_local'}) -%}
        {%- for month in found.columns[0].values() | map('string') if month not in left -%}
            {%- do run_query(
                'alter table ' ~ (local if target.cluster else this) ~ on_cluster_clause(this)
                ~ " drop partition id '" ~ month ~ "'"
            ) -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
