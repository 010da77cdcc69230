"""The semantic model as text: TMDL, a file for each table."""

import json
from collections.abc import Iterable, Iterator, Sequence

from dashboard.pbip.measures import Measure
from dashboard.pbip.names import identifier
from dashboard.pbip.star import Column, Relationship, Star, Table
from dashboard.pbip.types import TIME

COMPATIBILITY = 1600
HOST, DATABASE = "WarehouseHost", "WarehouseDatabase"
PARAMETERS = {
    HOST: ("localhost", "The host of the warehouse, with its port if that is not 5432: host:5433."),
    DATABASE: ("warehouse", "The database of the warehouse."),
}
"""The parameters of the model: a value to begin with, and what each is."""


def model_files(star: Star, measures: Sequence[Measure]) -> Iterator[tuple[str, str]]:
    """The files below `definition/`, with their contents."""
    tables = sorted(star.tables.values(), key=lambda table: table.name)
    yield "database.tmdl", text([f"database\n\tcompatibilityLevel: {COMPATIBILITY}"])
    yield "model.tmdl", text(_model([table.name for table in tables]))
    yield "expressions.tmdl", text(map(_parameter, PARAMETERS))
    yield "relationships.tmdl", text(map(_relationship, star.relationships))
    for table in tables:
        of_table = [measure for measure in measures if measure.table == table]
        yield f"tables/{table.name}.tmdl", text(_table(table, of_table))


def text(blocks: Iterable[str]) -> str:
    """Blocks with an empty line between them."""
    return "\n\n".join(blocks) + "\n"


def quoted(name: str) -> str:
    """A name as TMDL writes it."""
    if name.replace("_", "").isalnum():
        return name
    doubled = name.replace("'", "''")
    return f"'{doubled}'"


def indented(block: str, depth: int) -> str:
    return "\n".join("\t" * depth + line if line else line for line in block.split("\n"))


def _described(description: str, depth: int) -> str:
    lines = [" ".join(line.split()) for line in description.strip().splitlines()]
    return "".join("\t" * depth + f"/// {line}\n" for line in lines if line)


def _model(tables: Sequence[str]) -> Iterator[str]:
    yield (
        "model Model\n\tculture: en-US\n\tdefaultPowerBIDataSourceVersion: powerBI_V3\n"
        "\tdiscourageImplicitMeasures\n\tsourceQueryCulture: en-US\n\tdataAccessOptions\n"
        "\t\tlegacyRedirects\n\t\treturnErrorValuesAsNull"
    )
    order = json.dumps([*PARAMETERS, *tables], ensure_ascii=False)
    yield f"annotation PBI_QueryOrder = {order}"
    yield "annotation __PBI_TimeIntelligenceEnabled = 0"
    yield "\n".join(f"ref table {quoted(name)}" for name in tables)


def _parameter(name: str) -> str:
    value, description = PARAMETERS[name]
    return (
        f"{_described(description, 0)}"
        f'expression {name} = "{value}" meta [IsParameterQuery=true, Type="Text",'
        " IsParameterQueryRequired=true]\n"
        f"\tlineageTag: {identifier('parameter', name)}\n\n"
        "\tannotation PBI_ResultType = Text"
    )


def _relationship(one: Relationship) -> str:
    names = (one.table.relation, one.column, one.to_table.relation, one.to_column)
    inactive = "" if one.is_active else "\tisActive: false\n"
    return (
        f"relationship {identifier('relationship', *names)}\n{inactive}"
        f"\tfromColumn: {_path(one.table, one.column)}\n"
        f"\ttoColumn: {_path(one.to_table, one.to_column)}"
    )


def _path(table: Table, source: str) -> str:
    return f"{quoted(table.name)}.{quoted(table.column(source).name)}"


def _table(table: Table, measures: Sequence[Measure]) -> Iterator[str]:
    category = "\tdataCategory: Time\n" if table.details.date_key else ""
    yield (
        f"{_described(table.description, 0)}table {quoted(table.name)}\n{category}"
        f"\tlineageTag: {identifier('table', table.relation)}"
    )
    yield from (_measure(one) for one in sorted(measures, key=lambda one: one.name))
    yield from (_column(table, column) for column in table.columns)
    for computed in table.details.computed:
        tag = identifier("computed", table.relation, computed.name)
        yield (
            f"{_described(computed.description, 1)}"
            f"\tcolumn {quoted(computed.name)} = {computed.dax}\n"
            f"\t\tdataType: {computed.type}\n\t\tformatString: {computed.format}\n"
            f"\t\tlineageTag: {tag}\n\t\tsummarizeBy: none\n\n"
            "\t\tannotation SummarizationSetBy = User"
        )
    if table.details.hierarchy:
        yield _hierarchy(table)
    yield _partition(table)
    yield "\tannotation PBI_ResultType = Table"


def _measure(measure: Measure) -> str:
    form = f"\t\tformatString: {measure.format}\n" if measure.format else ""
    return (
        f"{_described(measure.description, 1)}"
        f"\tmeasure {quoted(measure.name)} =\n{indented(measure.dax, 3)}\n"
        f"{form}\t\tdisplayFolder: {measure.folder}\n"
        f"\t\tlineageTag: {identifier('measure', measure.metric or measure.name)}"
    )


def _column(table: Table, column: Column) -> str:
    lines = [f"\tcolumn {quoted(column.name)}", f"\t\tdataType: {column.type.model}"]
    lines += ["\t\tisHidden"] * column.is_hidden + ["\t\tisKey"] * column.is_key
    lines += [f"\t\tformatString: {column.type.format}"] * bool(column.type.format)
    lines += [f"\t\tdisplayFolder: {column.folder}"] * bool(column.folder)
    lines += [
        f"\t\tlineageTag: {identifier('column', table.relation, column.source)}",
        "\t\tsummarizeBy: none",
        f"\t\tsourceColumn: {column.source}",
    ]
    if column.sort_by:
        lines.append(f"\t\tsortByColumn: {quoted(table.column(column.sort_by).name)}")
    lines += ["", "\t\tannotation SummarizationSetBy = User"]
    return _described(column.description, 1) + "\n".join(lines)


def _hierarchy(table: Table) -> str:
    def tag(*parts: str) -> str:
        return identifier("hierarchy", table.relation, *parts)

    levels = [
        f"\t\tlevel {quoted(table.column(source).name)}\n\t\t\tlineageTag: {tag(source)}\n"
        f"\t\t\tcolumn: {quoted(table.column(source).name)}"
        for source in table.details.hierarchy
    ]
    head = f"\thierarchy Calendar\n\t\tlineageTag: {tag()}"
    return "\n\n".join([head, *levels])


def _partition(table: Table) -> str:
    body = "\n".join(f"    {step}" for step in _steps(table))
    query = f"let\n{body}\nin\n    Typed"
    return (
        f"\tpartition {quoted(table.name)} = m\n\t\tmode: import\n\t\tsource =\n"
        f"{indented(query, 4)}"
    )


def _steps(table: Table) -> Iterator[str]:
    """The steps of the query in M; one that is not needed is left out."""
    names = ", ".join(f'"{column.source}"' for column in table.columns)
    yield f"Source = PostgreSQL.Database({HOST}, {DATABASE}, [CreateNavigationProperties = false]),"
    yield f'Relation = Source{{[Schema = "{table.schema}", Item = "{table.relation}"]}}[Data],'
    yield f"Columns = Table.SelectColumns(Relation, {{{names}}}),"
    last = "Columns"
    if table.details.date_key:
        yield f"Days = Table.SelectRows(Columns, each [{table.details.date_key}] <> null),"
        last = "Days"
    times = [column.source for column in table.columns if column.type == TIME]
    if times:
        to_utc = "each DateTimeZone.RemoveZone(DateTimeZone.ToUtc(DateTimeZone.From(_)))"
        each = ", ".join(f'{{"{time}", {to_utc}, type nullable datetime}}' for time in times)
        yield f"InUtc = Table.TransformColumns({last}, {{{each}}}),"
        last = "InUtc"
    types = ", ".join(f'{{"{column.source}", {column.type.query}}}' for column in table.columns)
    yield f"Typed = Table.TransformColumnTypes({last}, {{{types}}})"
