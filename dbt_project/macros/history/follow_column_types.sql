{#- Pre-hook of snapshots: a column whose type has changed in the mirror changes in the history. -#}
{% macro follow_column_types() %}
    {%- if execute -%}
        {%- set source = graph.sources[model.depends_on.nodes | first] -%}
        {%- set types = {} -%}
        {%- for column in adapter.get_columns_in_relation(mirrored_table(source.name).relation) -%}
            {%- do types.update({column.quoted: column.data_type}) -%}
        {%- endfor -%}
        {%- for column in adapter.get_columns_in_relation(this) -%}
            {%- set type = types.get(column.quoted, column.data_type) -%}
            {%- if type != column.data_type %}
                alter table {{ this }}
                alter column {{ column.quoted }} type {{ type }} using {{ column.quoted }}::{{ type }};
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
{% endmacro %}
