"""What is published: the tables with `publish` in the `config.meta` of dbt's YAML.

For a table of the mirror that is its entry among dbt's sources, which the extractor reads too; for
a model of dwh, its entry among the models.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common.errors import SettingError
from common.settings import DBT_PROJECT
from extract.declarations.entries import Entry, a_mysql_name
from extract.declarations.project_file import demo_domains
from extract.declarations.yaml_lines import Mapping, Sequence, read_yaml
from publishing.errors import WrongPublication
from publishing.types import DECIMAL

KEYS = {"partition_by", "order_by", "types"}


@dataclass(frozen=True)
class Published:
    """A table that is published.

    `key` are the columns by which the log of changes names its rows; empty for a table that it does
    not name. `partition_by` is the column whose month is a row's partition, `order_by` are those by
    which rows are sorted, and `types` the types of ClickHouse that are declared, by column. `demo`
    is true if DEMO_DOMAINS can switch it off.
    """

    domain: str
    schema: str
    name: str
    key: tuple[str, ...]
    order_by: tuple[str, ...]
    partition_by: str | None = None
    types: dict[str, str] = field(default_factory=dict)
    demo: bool = False


def declared_publications(project: Path = DBT_PROJECT) -> list[Published]:
    """Every table that is declared to be published. Raises WrongPublication for the first error."""
    faults: list[SettingError] = []
    demo = demo_domains(project)
    found: list[Published] = []
    for path in sorted((project / "models").rglob("*.yml")):
        if b"publish" in path.read_bytes():
            content = read_yaml(path)
            domain = path.parent.name
            for schema, entry in _entries(content):
                found += _published(entry, schema, domain, path.name, domain in demo, faults)
    if faults:
        raise WrongPublication(faults[0].subject, faults[0].problem, faults[0].hint)
    return found


def _entries(content: Any) -> Iterator[tuple[str, Mapping]]:
    """The entries of tables and models in a file, each with its schema."""
    content = content if isinstance(content, Mapping) else Mapping()
    for source in content.get("sources") or []:
        if isinstance(source, Mapping) and source.get("schema") == "mrr":
            for table in source.get("tables") or []:
                if isinstance(table, Mapping):
                    yield "mrr", table
    for model in content.get("models") or []:
        if isinstance(model, Mapping):
            yield "dwh", model


def _published(
    values: Mapping, schema: str, domain: str, file: str, is_demo: bool, faults: list[SettingError]
) -> Iterator[Published]:
    config = values.get("config")
    meta = config.get("meta") if isinstance(config, Mapping) else None
    if not isinstance(meta, Mapping) or "publish" not in meta:
        return
    subject = str(values.get("name") or "a table")
    entry = Entry(subject, file, meta, faults, "config.meta.").part("publish", "publish.")
    entry.only(KEYS, "publish")
    order = tuple(entry.value("order_by", _a_list_of_columns) or ())
    key = tuple(meta.get("key") or ()) if schema == "mrr" and "landed_from" not in meta else ()
    if not order and not key:
        entry.refuse("order_by", "publish.order_by is missing", _a_list_of_columns(None) or "")
    types = entry.value("types", _types) or {}
    if schema == "dwh" and not subject.startswith("dwh_"):
        entry.refuse("order_by", "is a model of stg", "Only tables of mrr and dwh are published.")
    yield Published(
        domain,
        schema,
        subject,
        key,
        order,
        entry.value("partition_by", _a_column),
        {str(name): str(kind) for name, kind in types.items()},
        is_demo,
    )


def _a_column(value: Any) -> str | None:
    return "Name a column with a date or a timestamp." if a_mysql_name(value) else None


def _a_list_of_columns(value: Any) -> str | None:
    is_list = isinstance(value, Sequence) and value
    if not is_list or any(a_mysql_name(one) for one in value) or len(set(value)) < len(value):
        return "Give a list of columns by which rows are sorted, as `order_by: [sale_id]`."
    return None


def _types(value: Any) -> str | None:
    if not isinstance(value, Mapping):
        return "Give `column: type` pairs."
    for kind in value.values():
        if kind != "String" and not (isinstance(kind, str) and DECIMAL.fullmatch(kind)):
            return "Give each column String, or Decimal(P, S)."
    return None
