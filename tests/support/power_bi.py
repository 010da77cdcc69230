"""The Power BI project against a warehouse that was built: the contract, and the metrics."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml

from common.settings import DBT_PROJECT
from dashboard.metrics import metrics_of
from dashboard.pbip.declared import FromStar, declared_domains
from dashboard.pbip.project import MODEL, project_files, write_project
from tests.support import tmdl
from tests.support.command_line import CommandLine
from tests.support.tmdl import TmdlRelationship, TmdlTable

Query = Callable[..., list[tuple]]
COMPATIBLE = {
    "int64": {"smallint", "integer", "bigint"},
    "decimal": {"numeric"},
    "double": {"numeric", "real", "double precision"},
    "string": {"text", "character varying", "uuid"},
    "dateTime": {"date", "timestamp with time zone"},
    "boolean": {"boolean"},
}
"""The types of PostgreSQL that a column of the model may have."""
FIXED_DIGITS = 4
LEFT_OUT = {"dwh.dwh_dim_dates": (-1,)}
"""Rows that the model does not read; what refers to them belongs to Power BI's blank row."""


@dataclass(frozen=True)
class Model:
    """The semantic model as its files have it."""

    tables: Mapping[str, TmdlTable]
    relationships: Sequence[TmdlRelationship]

    def of_relation(self, relation: str) -> TmdlTable:
        (found,) = [one for one in self.tables.values() if one.relation == relation]
        return found


def model_of(manifest: Mapping[str, Any]) -> Model:
    """The model that would be generated of a project: some of the committed one, if it is smaller.

    Another test compares both.
    """
    with TemporaryDirectory() as folder:
        write_project(project_files(manifest), Path(folder))
        definition = Path(folder) / MODEL / "definition"
        return Model(tmdl.tables(definition), tmdl.relationships(definition))


def manifest_of(project: CommandLine) -> Mapping[str, Any]:
    """What dbt wrote of a copy of the project in its last run."""
    file = project.folder / "dbt_project" / "target" / "manifest.json"
    manifest: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return manifest


def problems(query: Query, model: Model) -> list[str]:
    """Where the project and the warehouse contradict each other."""
    tables = model.tables.values()
    found = [problem for table in tables for problem in _of_columns(query, table)]
    if not found:
        for one in model.relationships:
            found += _of_relationship(query, model.tables, one)
        found += [problem for table in tables for problem in _of_order(query, table)]
    return found


def _of_columns(query: Query, table: TmdlTable) -> Iterator[str]:
    # as Power BI's connector asks
    rows = query(
        "select column_name, data_type, numeric_scale from information_schema.columns"
        " where table_schema || '.' || table_name = %s",
        (table.relation,),
    )
    types = {name: (data_type, scale) for name, data_type, scale in rows}
    read = {one["sourceColumn"]: one for one in table.columns.values() if "sourceColumn" in one}
    if sorted(read) != sorted(table.selected):
        yield f"{table.name}: its query does not select the columns of the table"
    for source, column in read.items():
        data_type, scale = types.get(source, ("", None))
        if not data_type:
            yield f"{table.relation} has no column {source}"
        elif data_type not in COMPATIBLE[column["dataType"]]:
            yield f"{table.relation}.{source} is {data_type}, not {column['dataType']}"
        elif column["dataType"] == "decimal" and scale not in range(FIXED_DIGITS + 1):
            # PostgreSQL forgets the scale of a sum
            longer = f"{source} <> round({source}, {FIXED_DIGITS})"
            if scale or query(f"select 1 from {table.relation} where {longer} limit 1"):
                yield f"{table.relation}.{source} has more than {FIXED_DIGITS} digits"


def _of_relationship(
    query: Query, tables: Mapping[str, TmdlTable], one: TmdlRelationship
) -> Iterator[str]:
    many, to = (tables[name] for name, _ in (one.many, one.one))
    key, field = many.source(one.many[1]), to.source(one.one[1])
    known = f"select {field} from {to.relation} where {field} is not null"
    if query(f"select 1 from ({known}) as known group by {field} having count(*) > 1"):
        yield f"{to.relation}.{field} is not unique"
    left_out = LEFT_OUT.get(to.relation, ())
    missing = query(
        f"select distinct {key} from {many.relation} where {key} not in ({known}) order by 1"
    )
    missing = [value for (value,) in missing if value not in left_out]
    if missing:
        yield f"{many.relation}.{key} has {missing[:3]}, which {to.relation} has not"


def _of_order(query: Query, table: TmdlTable) -> Iterator[str]:
    for column in table.columns.values():
        if "sortByColumn" in column:
            name, by = column["sourceColumn"], table.source(tmdl.unquoted(column["sortByColumn"]))
            several = f"select {name} from {table.relation} where {by} is not null group by {name}"
            if query(f"{several} having count(distinct {by}) > 1"):
                yield f"{table.relation}.{name} has no order by {by}"


def check_metrics(query: Query, manifest: Mapping[str, Any]) -> int:
    """Each metric is, over the star, what its mart says: in all, by month and by dimension.

    Returns the number of values that were compared.
    """
    model = model_of(manifest)
    present = {node["fqn"][2] for node in manifest["nodes"].values()}
    metrics, compared = metrics_of(manifest), 0
    for domain in declared_domains(present).values():
        for name, declared in domain.metrics.items():
            metric, fact = metrics[name], model.of_relation(f"dwh.{declared.table}")
            groups: dict[str, dict[str, Any]] = {"": {}, "month": {"grain": "month"}}
            groups |= {one: {"by": [one]} for one in metric.dimensions}
            for group, how in groups.items():
                expected = _values(query(metric.query(**how), {"since": None, "until": None}))
                found = _values(query(_over_star(declared, fact, model, group)))
                assert found == {key: pytest.approx(value) for key, value in expected.items()}, (
                    f"{name} by {group or 'nothing'}"
                )
                compared += len(found)
    print(f"{compared} values of metrics over the star")
    return compared


def _values(rows: list[tuple]) -> dict[tuple, float]:
    return {tuple(keys): float(value) for *keys, value in rows if value}


def _over_star(declared: FromStar, fact: TmdlTable, model: Model, group: str) -> str:
    """A SELECT that follows the relationships of the model as DAX does."""
    aggregate = {"sum": "sum({})", "count": "count(*)", "count_distinct": "count(distinct {})"}
    value = aggregate[declared.aggregate].format(f"fact.{declared.column}")
    variables = yaml.safe_load((DBT_PROJECT / "dbt_project.yml").read_text("utf-8"))["vars"]
    conditions = [
        f"fact.{column} in ({', '.join(map(repr, values))})"
        for column, values in declared.where.items()
    ] + [f"fact.{column} >= {variables[name]}" for column, name in declared.at_least.items()]
    where = f" filter (where {' and '.join(conditions)})" if conditions else ""
    by, joins = _group(fact, model, group)
    grouped = f"select {by}, {value}{where}" if by else f"select {value}{where}"
    known = f" where {by} is not null" if group == "month" else ""
    return f"{grouped} from {fact.relation} as fact {joins}{known}{' group by 1' if by else ''}"


def _group(fact: TmdlTable, model: Model, group: str) -> tuple[str, str]:
    """The column to group by, and the join to its table."""
    if not group:
        return "", ""
    source = "calendar_date" if group == "month" else group
    found = [("fact", "")] if source in fact.selected else []
    for one in model.relationships:
        to = model.tables[one.one[0]]
        if one.many[0] == fact.name and one.is_active and source in to.selected:
            on = f"fact.{fact.source(one.many[1])} = other.{to.source(one.one[1])}"
            found.append(("other", f"inner join {to.relation} as other on {on}"))
    ((alias, join),) = found
    column = f"{alias}.{source}"
    return (f"date_trunc('month', {column})::date" if group == "month" else column), join
