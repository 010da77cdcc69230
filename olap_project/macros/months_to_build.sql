{#- The months of a published table that the model has not read as they are, each with the hash of
    its parts, which the model stores as `source_parts`; every month, if all is built anew. -#}
{% macro months_to_build(table) -%}
    {%- set months = {} -%}
    {%- if execute -%}
        {%- for row in run_query(months_of_source(table)).rows -%}
            {%- do months.update({row[0] | string: row[1] | string}) -%}
        {%- endfor -%}
        {%- if is_incremental() -%}
            {%- for row in run_query(months_of_model(this)).rows -%}
                {%- if months.get(row[0] | string) == row[1] | string -%}
                    {%- do months.pop(row[0] | string) -%}
                {%- endif -%}
            {%- endfor -%}
        {%- endif -%}
    {%- endif -%}
    {{ return(months) }}
{%- endmacro %}
