"""The star schema: the tables of `dwh` that Power BI reads, their columns and relationships.

From dbt's manifest: the types are those of the contracts, and a relationship is a `relationships`
test of a fact. In the model are

- every fact, and every dimension that a fact refers to;
- a mart of which a metric is defined that no fact has, joined to the calendar by its day;
- the views over the control tables.

A dimension of which no fact knows is left out, and so is a mart whose metrics the facts have: the
star answers what it was made for. A model whose `config.meta` says `power_bi: false` is left out
too, such as a fact that tells again what another one does.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dashboard.pbip.declared import TableDetails
from dashboard.pbip.errors import PowerBiError
from dashboard.pbip.names import column_name, table_name
from dashboard.pbip.types import TIME, PowerBiType, power_bi_type

CALENDAR = "dwh_dim_dates"
KIND = re.compile(r"dwh_(fact|dim|mart|operations)_")
PERSONAL = re.compile(
    # a prefix such as `billing_`; words may be written together, as in `firstname`
    r"name|(?:.*_)?(?:sur|user|nick|fore|vor|nach|familien)_?names?|[fl]_?name"
    r"|(?:.*_)?(?:first|last|full|given|middle|family|user|customer|person|patient|employee|member"
    r"|contact|account|owner|holder|street|maiden)_?names?"
    r"|(?:.*_)?(?:e_?mail|mail|login|contact)s?(?:_?addr(?:ess)?)?"
    r"|(?:.*_)?(?:tele|cell)?(?:phone|fon|fax|mobile|tel|telefon|handy)(?:_?(?:number|num|no|nr))?"
    r"|(?:.*_)?(?:address|addr|adresse|street|stra(?:ss|ß)e|city|town|postal_?code|zip|zip_?code"
    r"|post_?code|plz|house_?(?:number|no|nr)|hausnummer)(?:_?(?:line)?_?\d)?"
    r"|(?:.*_)?(?:lat|lon|lng|latitude|longitude|geo_?location|gps)"
    r"|(?:.*_)?(?:age|gender|sex|dob|birth_?(?:date|day|year|dt|place)|date_of_birth|birth|born_on"
    r"|geburts(?:datum|tag|ort)|geschlecht|nationality|ethnicity|religion|marital_status)"
    r"|(?:.*_)?(?:iban|bank_account|(?:card|account|tax|insurance|licen[sc]e|identity|passport"
    r"|social_security|national_insurance)_?(?:id|number|num|no|nr)|credit_?card|(?:card|pan)_number"
    r"|national_id|tax_id|ssn|passport|licen[sc]e_plate|salary)"
    r"|(?:.*_)?(?:ip|ip_?addr(?:ess)?|mac_?addr(?:ess)?|user_?agent|device_id|cookie|cookie_id)"
    r"|(?:.*_)?(?:comment|note|text|message|description|remark)s?"
)
"""Names of columns that may tell who somebody is, texts among them, since people write names into
them. The tag of a column, and its `config.meta.personal`, `true` or `false`, come first."""
WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
"""Where a word of a name in camelCase begins."""
TAG = "personal"
"""The tag of a column that tells of a person; an analyst may not read it either."""
VERSION = "Version"
"""The folder of the columns that say which version of a row it is."""


@dataclass(frozen=True)
class Column:
    """A column: its name in `dwh`, what Power BI calls it, and how it is shown."""

    source: str
    name: str
    type: PowerBiType
    description: str
    is_hidden: bool = False
    is_key: bool = False
    sort_by: str = ""
    folder: str = ""


@dataclass(frozen=True)
class Table:
    """A table of the model, and the relation of `dwh` that it is read from."""

    relation: str
    schema: str
    name: str
    kind: str
    domain: str
    description: str
    columns: tuple[Column, ...]
    details: TableDetails

    def has(self, source: str) -> bool:
        """Whether the model reads a column, by its name in `dwh`."""
        return any(column.source == source for column in self.columns)

    def column(self, source: str) -> Column:
        """The column by its name in `dwh`. Raises PowerBiError."""
        for column in self.columns:
            if column.source == source:
                return column
        raise PowerBiError(
            f"{self.schema}.{self.relation}",
            f"it has no column {source} in Power BI",
            f"It has: {', '.join(column.source for column in self.columns)}.",
        )

    def reference(self, source: str) -> str:
        """The column in DAX, by its name in `dwh`."""
        return f"'{self.name}'[{self.column(source).name}]"


@dataclass(frozen=True)
class Relationship:
    """Many rows of one table belong to one of another; the columns have their names of `dwh`."""

    table: Table
    column: str
    to_table: Table
    to_column: str
    is_active: bool


@dataclass(frozen=True)
class Star:
    """The tables by their names in `dwh`, and the relationships between them."""

    tables: Mapping[str, Table]
    relationships: tuple[Relationship, ...]

    def around(self, table: Table) -> list[Table]:
        """A table, and the dimensions that divide it."""
        related = [one.to_table for one in self.relationships if one.table == table]
        by_name = {one.relation: one for one in (table, *related)}
        return list(by_name.values())


Node = Mapping[str, Any]
Details = Mapping[str, TableDetails]


def star_of(manifest: Mapping[str, Any], marts: Mapping[str, str], details: Details) -> Star:
    """The star of a project.

    `marts` are those to read, each with its column of days; one whose time is computed, and no
    column, is not joined to the calendar.
    """
    models = {
        node["name"]: node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
        and KIND.match(node["name"])
        and node["config"]["meta"].get("power_bi", True)
    }
    references = sorted(_references(manifest, models))
    facts = [name for name in models if kind_of(name) == "fact"]
    dimensions = {to for name, _, to, _ in references if name in facts}
    read = {name for name in models if kind_of(name) in ("fact", "operations")}
    read |= dimensions | set(marts) | ({CALENDAR} & set(models) if marts else set())
    joins = [one for one in references if {one[0], one[2]} <= read and kind_of(one[2]) == "dim"]
    if CALENDAR in read:
        day = details[CALENDAR].date_key
        joins += [
            (mart, time, CALENDAR, day)
            for mart, time in sorted(marts.items())
            if models[mart]["columns"].get(time, {}).get("data_type") == "date"
        ]
    keys = {(one[0], one[1]) for one in joins} | {(one[2], one[3]) for one in joins}
    tables = {name: _table(models[name], details.get(name), keys) for name in sorted(read)}
    _check_names(tables.values())
    return Star(tables, tuple(_relationships(joins, models, tables)))


def kind_of(relation: str) -> str:
    """`fact`, `dim`, `mart` or `operations`."""
    found = KIND.match(relation)
    return found[1] if found else ""


def _references(
    manifest: Mapping[str, Any], models: Mapping[str, Node]
) -> Iterator[tuple[str, str, str, str]]:
    """The `relationships` tests of facts: the fact, its column, the dimension, its column."""
    for node in manifest["nodes"].values():
        metadata = node.get("test_metadata") or {}
        if metadata.get("name") != "relationships" or not node.get("attached_node"):
            continue
        name = node["attached_node"].rpartition(".")[2]
        others = set(node["depends_on"]["nodes"]) - {node["attached_node"]}
        to = next(iter(others)).rpartition(".")[2] if others else name
        if name in models and to in models and kind_of(name) == "fact":
            yield name, node["column_name"], to, metadata["kwargs"]["field"]


def _relationships(
    joins: Collection[tuple[str, str, str, str]],
    models: Mapping[str, Node],
    tables: Mapping[str, Table],
) -> Iterator[Relationship]:
    """In the order of the columns; of several between two tables the first is the active one."""
    active = set()
    order = {
        (name, column): place
        for name in tables
        for place, column in enumerate(models[name]["columns"])
    }
    for name, column, to, field in sorted(joins, key=lambda one: (one[0], order[one[:2]])):
        yield Relationship(tables[name], column, tables[to], field, (name, to) not in active)
        active.add((name, to))


def _table(node: Node, details: TableDetails | None, keys: Collection[tuple[str, str]]) -> Table:
    name, kind = node["name"], kind_of(node["name"])
    details = details or TableDetails()
    columns = [
        _column(name, column, known, details, keys)
        for column in node["columns"].values()
        if (known := power_bi_type(column["data_type"] or "")) and _is_read(kind, column, known)
    ]
    made = Table(
        name,
        node["schema"],
        table_name(name),
        kind,
        node["fqn"][2],
        node["description"],
        tuple(columns),
        details,
    )
    named = {details.date_key, *details.hierarchy, *details.sort_by, *details.sort_by.values()}
    for source in sorted(named - {""}):
        made.column(source)
    return made


def looks_personal(name: str) -> bool:
    """True if a column of this name, in snake_case or in camelCase, may tell who somebody is."""
    return bool(PERSONAL.fullmatch(WORD.sub("_", name).lower()))


def _is_read(kind: str, column: Node, known: PowerBiType) -> bool:
    """Neither what tells of a person, nor times: outside the log, days are enough for the star."""
    is_personal = (column["config"].get("meta") or {}).get("personal")
    if TAG in column["tags"]:
        is_personal = True
    elif is_personal is None:
        is_personal = looks_personal(column["name"])
    return not is_personal and (known != TIME or kind == "operations")


def _column(
    relation: str,
    node: Node,
    known: PowerBiType,
    details: TableDetails,
    keys: Collection[tuple[str, str]],
) -> Column:
    source, kind = node["name"], kind_of(relation)
    is_one_side = kind == "dim" and (relation, source) in keys
    is_measured = kind in ("fact", "mart") and (
        known.is_number or known.model == "dateTime" or source.endswith("_id")
    )
    return Column(
        source,
        column_name(source),
        known,
        node["description"],
        is_hidden=is_measured or source.endswith("_key"),
        is_key=source == details.date_key if details.date_key else is_one_side,
        sort_by=details.sort_by.get(source, ""),
        folder=VERSION if source in ("is_current", "is_deleted") else "",
    )


def _check_names(tables: Collection[Table]) -> None:
    """Power BI knows tables, and columns of a table, by names in any case."""
    names = [table.name for table in tables]
    for table in tables:
        columns = [column.name for column in table.columns]
        for name, all_of_them in [(table.name, names), *((one, columns) for one in columns)]:
            if [one.lower() for one in all_of_them].count(name.lower()) > 1:
                raise PowerBiError(
                    f"{table.schema}.{table.relation}",
                    f"two of its kind would be called {name} in Power BI",
                    "Give one of them another name in dwh.",
                )
