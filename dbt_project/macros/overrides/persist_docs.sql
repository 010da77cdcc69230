{% macro postgres__persist_docs(relation, model, for_relation, for_columns) -%}
    {%- set comments = _comments_of(
        model,
        for_relation and config.persist_relation_docs(),
        for_columns and config.persist_column_docs()
    ) -%}
    {%- set tag = '$docs_' ~ invocation_id | replace('-', '') ~ '$' -%}
    {%- if comments -%}
        {%- do run_query(
            "select mrr_state.describe_relation('" ~ relation ~ "', "
            ~ tag ~ tojson(comments) ~ tag ~ ")"
        ) -%}
    {%- endif -%}
{%- endmacro %}

{#- The comments of a relation by column; its own comment has the empty name. -#}
{% macro _comments_of(model, for_relation, for_columns) -%}
    {%- set comments = {} -%}
    {%- if for_relation and model.description -%}
        {%- do comments.update({'': model.description | trim}) -%}
    {%- endif -%}
    {%- for column in model.columns.values() if for_columns and column.description -%}
        {%- set name = column.name if column.quote else column.name | lower -%}
        {%- do comments.update({name: column.description | trim}) -%}
    {%- endfor -%}
    {{ return(comments) }}
{%- endmacro %}
