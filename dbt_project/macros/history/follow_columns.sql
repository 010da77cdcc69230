{#- The change is committed before the rows are compared, since it blocks readers until then. -#}
{% macro follow_columns() %}
    {%- if execute and adapter.get_relation(this.database, this.schema, this.identifier) -%}
        {%- set current = node_of(model.depends_on.nodes | first) -%}
        {%- set statements = run_query(
            "select format("
            "    case when history.attname is null then 'alter table %1$s add column %2$I %3$s'"
            "    else 'alter table %1$s alter column %2$I type %3$s using %2$I::%3$s' end,"
            "    '" ~ this ~ "', current.attname, format_type(current.atttypid, current.atttypmod)"
            ")"
            " from pg_attribute as current"
            " left join pg_attribute as history"
            " on history.attrelid = '" ~ this ~ "'::regclass and history.attname = current.attname"
            " where current.attrelid = '" ~ current.relation_name ~ "'::regclass"
            " and current.attnum > 0 and not current.attisdropped"
            " and (history.atttypid, history.atttypmod)"
            " is distinct from (current.atttypid, current.atttypmod)"
            " order by current.attnum"
        ).columns[0].values() | list -%}
        {%- if statements -%}
            {%- do change_in_place(this, statements) -%}
            commit; begin;
        {%- endif -%}
    {%- endif -%}
{% endmacro %}
