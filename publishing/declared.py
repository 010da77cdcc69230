"""What is published: the tables with `publish` in the `config.meta` of dbt's YAML.

For a table of the mirror that is its entry among dbt's sources, which the extractor reads too; for
a model or a history of dwh, its entry among the models or the snapshots.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from common.errors import SettingError
from common.settings import DBT_PROJECT
from extract.declarations.entries import Entry, a_mysql_name
from extract.declarations.project_file import demo_domains
from extract.declarations.yaml_lines import Mapping, Sequence, read_yaml
from publishing.errors import WrongPublication
from publishing.types import DECIMAL

KEYS = {"partition_by", "order_by", "types", "events"}
EVENT_KEYS = {"from", "states", "version", "deleted"}
FOLDERS = ("models", "snapshots")


@dataclass(frozen=True)
class Events:
    """The events that a published table is made of: of each key, the highest version is its row.

    `source` has a row for each event, and `states` the last version of each key, also of one that
    is deleted: of several events with that version it says which one counts. `version` and
    `deleted` are columns of both. The log of changes names the events of `source` by the columns
    `log_key`, as changes of the table `log`.
    """

    source: str
    states: str
    version: str
    deleted: str
    log: str = ""
    log_key: tuple[str, ...] = ()


@dataclass(frozen=True)
class Published:
    """A table that is published.

    `key` are the columns by which the log of changes names its rows, or by which its events do;
    empty for a table whose changes nothing names. `partition_by` is the column whose month is a
    row's partition, `order_by` are those by which rows are sorted, and `types` the types of
    ClickHouse that are declared, by column. `demo` is true if DEMO_DOMAINS can switch it off.
    `events` are those that it is made of, if it is made of events.
    """

    domain: str
    schema: str
    name: str
    key: tuple[str, ...]
    order_by: tuple[str, ...]
    partition_by: str | None = None
    types: dict[str, str] = field(default_factory=dict)
    demo: bool = False
    events: Events | None = None

    @property
    def log(self) -> str:
        """The name by which the log of changes names its changes."""
        return self.events.log if self.events else self.name


def declared_publications(project: Path = DBT_PROJECT) -> list[Published]:
    """Every table that is declared to be published. Raises WrongPublication for the first error."""
    faults: list[SettingError] = []
    demo = demo_domains(project)
    found: list[Published] = []
    for path in _files(project, "publish"):
        domain = path.parent.name
        for schema, entry in _entries(read_yaml(path)):
            for one in _published(entry, schema, domain, path.name, domain in demo, faults):
                found.append(_with_log(one, project, f"{one.name} in {path.name}", faults))
    if faults:
        raise WrongPublication(faults[0].subject, faults[0].problem, faults[0].hint)
    return found


def _files(project: Path, word: str) -> list[Path]:
    """The YAML files of the project that have a word."""
    paths = (path for folder in FOLDERS for path in sorted((project / folder).rglob("*.yml")))
    return [path for path in paths if word.encode() in path.read_bytes()]


def _entries(content: Any) -> Iterator[tuple[str, Mapping]]:
    """The entries of tables, models and snapshots in a file, each with its schema."""
    content = content if isinstance(content, Mapping) else Mapping()
    for source in content.get("sources") or []:
        if isinstance(source, Mapping) and source.get("schema") == "mrr":
            for table in source.get("tables") or []:
                if isinstance(table, Mapping):
                    yield "mrr", table
    for model in [*(content.get("models") or []), *(content.get("snapshots") or [])]:
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
    events = _events(entry) if "events" in entry.values else None
    if events:
        key = order
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
        events,
    )


def _events(publish: Entry) -> Events | None:
    """The events that a table is made of, as far as its own entry says."""
    entry = publish.part("events", "publish.events.")
    entry.only(EVENT_KEYS, "publish.events")
    values = [entry.required(key, _a_name) for key in ("from", "states", "version", "deleted")]
    if "partition_by" in publish.values:
        hint = "Leave it out: an event that deletes a row need not say in which month it was."
        publish.refuse("partition_by", "cannot be given with publish.events", hint)
    return Events(*values) if all(values) else None


def _with_log(
    published: Published, project: Path, subject: str, faults: list[SettingError]
) -> Published:
    """The table with what the log of changes says of its events, by `changes` of their model."""
    events = published.events
    if events is None:
        return published
    for path in _files(project, events.source):
        for _, entry in _entries(read_yaml(path)):
            if entry.get("name") == events.source:
                config = entry.get("config") or {}
                changes = (config.get("meta") or {}).get("changes") or []
                if len(changes) == 1:
                    log = {"log": changes[0]["table"], "log_key": tuple(changes[0]["key"])}
                    return replace(published, events=replace(events, **log))
    problem = f"{events.source}, of which it is made, has no entry with `changes` of one table"
    hint = (
        "Give its `config.meta` in YAML `changes: [{table: …, key: […]}]`, as docs/increments.md."
    )
    faults.append(SettingError(subject, problem, hint))
    return published


def _a_name(value: Any) -> str | None:
    return "Give a name." if a_mysql_name(value) else None


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
