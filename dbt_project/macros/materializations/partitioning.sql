{#- `config.partition_by` of a model:

        partition_by = {'column': 'sold_date', 'granularity': 'month'}

    `column` names a date of the contract as the YAML does; `granularity` is day, month or year. -#}
{% macro partitioning(node) -%}
    {%- set wanted = node.config.get('partition_by') -%}
    {%- if not wanted -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set digits = {'day': '__2026_01_31', 'month': '__2026_01', 'year': '__2026'} -%}
    {%- if wanted is not mapping or wanted.granularity not in digits -%}
        {{ exceptions.raise_compiler_error(
            node.name ~ ": `partition_by` is " ~ wanted ~ ", which names no column or no granularity"
            ~ "\nHINT: Write it as {'column': 'sold_date', 'granularity': 'month'}; day and year are"
            ~ " possible too."
        ) }}
    {%- endif -%}
    {%- set column = node.columns.get(wanted.column) -%}
    {%- set type = (column.data_type or '') | lower if column -%}
    {%- if type != 'date' or not node.config.contract.enforced -%}
        {{ exceptions.raise_compiler_error(
            node.name ~ ": `partition_by` names " ~ wanted.column
            ~ ", which is no date of an enforced contract"
            ~ "\nHINT: Declare the column with data_type: date, and enforce the contract."
        ) }}
    {%- endif -%}
    {%- set most = 63 - ('__parts' ~ digits[wanted.granularity]) | length -%}
    {%- if node.alias | length > most -%}
        {{ exceptions.raise_compiler_error(
            node.alias ~ ": its name has " ~ node.alias | length ~ " characters, and partitions by "
            ~ wanted.granularity ~ " leave room for " ~ most
            ~ "\nHINT: Give the model a shorter name; PostgreSQL truncates names to 63 bytes."
        ) }}
    {%- endif -%}
    {%- set name = column.name if column.quote else column.name | lower -%}
    {{ return({
        'column': name,
        'arguments': "'" ~ name | replace("'", "''") ~ "', '" ~ wanted.granularity ~ "'",
    }) }}
{%- endmacro %}
