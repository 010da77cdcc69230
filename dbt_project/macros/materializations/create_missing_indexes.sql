{% macro create_missing_indexes(relation) -%}
    {%- set wanted = config.get('indexes', default=[]) -%}
    {%- if wanted -%}
        {%- set known = [] -%}
        {%- for row in run_query(get_show_indexes_sql(relation)) -%}
            {%- do known.append((row[1], row[2], row[3].split(',') | sort)) -%}
        {%- endfor -%}
        {%- for index in wanted if (
            index.get('type') or 'btree', index.get('unique', false), index['columns'] | sort
        ) not in known -%}
            {%- do run_query(get_create_index_sql(relation, index)) -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
