{#- Pre-hook of snapshots: a column that is new in the mirror, or has another type there, is so in
    the history. It is committed before the rows are compared, since readers wait until it is. -#}
{% macro follow_columns() %}
    {%- if execute and adapter.get_relation(this.database, this.schema, this.identifier) -%}
        {%- set mirrored = mirrored_table(graph.sources[model.depends_on.nodes | first].name) -%}
        {%- set statements = run_query(
            "select format("
            "    case when history.attname is null then 'alter table %1$s add column %2$I %3$s'"
            "    else 'alter table %1$s alter column %2$I type %3$s using %2$I::%3$s' end,"
            "    '" ~ this ~ "', mirror.attname, format_type(mirror.atttypid, mirror.atttypmod)"
            ")"
            " from pg_attribute as mirror"
            " left join pg_attribute as history"
            " on history.attrelid = '" ~ this ~ "'::regclass and history.attname = mirror.attname"
            " where mirror.attrelid = '" ~ mirrored.relation ~ "'::regclass"
            " and mirror.attnum > 0 and not mirror.attisdropped"
            " and (history.atttypid, history.atttypmod)"
            " is distinct from (mirror.atttypid, mirror.atttypmod)"
            " order by mirror.attnum"
        ).columns[0].values() | list -%}
        {%- if statements -%}
            {%- do change_in_place(this, statements) -%}
            commit; begin
        {%- endif -%}
    {%- endif -%}
{% endmacro %}
