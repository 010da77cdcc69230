"""The mirrored tables, which are declared in the YAML files of the dbt sources and nowhere else.

dbt reads the same files. What dbt would understand differently from the extractor is refused like
any other error. All errors are reported together, before any server is contacted.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from common.errors import SettingError
from common.settings import DBT_PROJECT
from extract.declarations.entries import (
    Entry,
    a_boolean,
    a_collection,
    a_column,
    a_key,
    a_list,
    a_mysql_name,
    a_name,
    a_number,
    a_source_name,
    list_of,
    shown,
)
from extract.declarations.names import clashes, clashes_of_models
from extract.declarations.person import NOBODY, Person, person_of
from extract.declarations.project_file import QUOTING_HINT, read_project_file
from extract.declarations.yaml_lines import Mapping, Sequence, read_yaml, yaml_files

SOURCES = DBT_PROJECT / "models" / "mrr"
MIRROR_SCHEMA = "mrr"
DATABASE = "operational_database"
LANDED_FROM = "landed_from"
PUBLISH = "publish"
"""What of an entry says how the table is published; `publishing/declared.py` reads it."""
LANDED_META = {LANDED_FROM, "key", "person", "reason", PUBLISH}
EVENTS, DOCUMENTS = "events", "documents"
KEYS_OF_LANDED = {EVENTS: ["landing_id"], DOCUMENTS: ["document_key"]}
"""The column by which the change log names rows that no source is read for, by what they are."""
TABLE_META = {
    "operational_table",
    "key",
    "cursor",
    "overlap_seconds",
    "overlap_values",
    "verify_within_seconds",
    "allow_engine",
    "person",
    "reason",
    PUBLISH,
}
FILE_KEYS = {"sources", "models", "exposures", "groups"}
CONFIG_KEYS = {
    "enabled",
    "event_time",
    "freshness",
    "loaded_at_field",
    "loaded_at_query",
    "meta",
    "tags",
}
OF_BOTH = CONFIG_KEYS - {"enabled", "event_time"} | {"config", "description", "name", "quoting"}
SOURCE_KEYS = OF_BOTH | {"database", "loader", "overrides", "schema", "tables"}
TABLE_KEYS = OF_BOTH | {"columns", "data_tests", "external", "identifier", "tests"}
"""What dbt reads of a file, of a source, of a table, and of the `config` of both."""
SOURCE_META = {DATABASE, "processing", "source"}
OVERLAP_SECONDS = 600
"""How far a window reaches back, for transactions that commit late."""
OVERLAP_VALUES = 1_000
"""The same for a numeric cursor: how far below the highest value seen the window begins."""
VERIFY_WITHIN_SECONDS = 24 * 3600
"""The time within which every row of a large table is compared once; each run compares some."""
YEAR = 366 * 24 * 3600
SHOWN_FAULTS = 20


@dataclass(frozen=True)
class MirroredTable:
    """One table of the source, as it is declared.

    `name` is its name in the mirror (`mrr_fact_sales`), `table` its name at the source (`sales`).
    `key` are the columns that identify a row; `cursor` is the column that grows whenever a row
    changes, or None. `allow_engine` is a storage engine that is permitted although it blocks
    writers while it is read, or can lose rows. `source` is the name of the source in the settings,
    empty for the one without a name. `demo` is true if DEMO_DOMAINS can switch the table off.
    `person` says whose rows these are, or is None.
    """

    domain: str
    name: str
    database: str
    table: str
    key: tuple[str, ...]
    cursor: str | None
    overlap_seconds: int = OVERLAP_SECONDS
    overlap_values: int = OVERLAP_VALUES
    verify_within_seconds: int = VERIFY_WITHIN_SECONDS
    allow_engine: str | None = None
    demo: bool = False
    source: str = ""
    person: Person | None = None

    @property
    def source_table(self) -> str:
        """The table's name at the source with its database, for messages: `sales.customers`."""
        return f"{self.database}.{self.table}"


@dataclass(frozen=True)
class EventTable:
    """A table of the mirror in which change events land; no source is read for it.

    The column of `person` is a field of the events.
    """

    domain: str
    name: str
    demo: bool = False
    person: Person | None = None


@dataclass(frozen=True)
class CollectionTable:
    """A table of the mirror that has a collection of MongoDB, by its exports.

    The column of `person` is a field of the documents, at any depth.
    """

    domain: str
    name: str
    collection: str
    demo: bool = False
    person: Person | None = None


Declared = MirroredTable | EventTable | CollectionTable


class WrongDeclarations(SettingError):
    """All errors in the declarations; each of `faults` has its own hint."""

    def __init__(self, faults: list[SettingError]) -> None:
        self.faults = faults
        super().__init__(faults[0].subject, faults[0].problem, faults[0].hint)
        messages = [str(fault) for fault in faults[:SHOWN_FAULTS]]
        if len(faults) > SHOWN_FAULTS:
            messages.append(f"and {len(faults) - SHOWN_FAULTS} more like these")
        self.args = ("\n".join(messages),)


def declared_tables(project: Path = DBT_PROJECT) -> list[MirroredTable]:
    """Every declared table with a source, in the order of the files. Raises WrongDeclarations."""
    return [table for table in _declared(project) if isinstance(table, MirroredTable)]


def declared_event_tables(project: Path = DBT_PROJECT) -> list[EventTable]:
    """Every declared table in which events land. Raises WrongDeclarations."""
    return [table for table in _declared(project) if isinstance(table, EventTable)]


def declared_collections(project: Path = DBT_PROJECT) -> list[CollectionTable]:
    """Every declared table that has a collection. Raises WrongDeclarations."""
    return [table for table in _declared(project) if isinstance(table, CollectionTable)]


def _declared(project: Path) -> list[Declared]:
    faults: list[SettingError] = []
    tables: list[tuple[str, Declared]] = []
    demo = read_project_file(project / "dbt_project.yml", faults)
    for path in yaml_files(project / "models"):
        if path.is_relative_to(project / "models" / "mrr"):
            tables += _tables_in(path, faults)
        else:
            faults += _misplaced_sources(path)
    faults += clashes((table.name, place) for place, table in tables if table.name)
    faults += clashes_of_models(project)
    if faults:
        raise WrongDeclarations(faults)
    return [replace(table, demo=table.domain in demo) for _, table in tables]


def disabled_tables(project: Path = DBT_PROJECT) -> list[str]:
    """The names of the tables that are declared with `enabled: false`, whatever else is wrong."""
    return [
        table.name
        for path in yaml_files(project / "models" / "mrr")
        for _, table in _tables_in(path, [], enabled=False)
    ]


def _tables_in(
    path: Path, faults: list[SettingError], enabled: bool = True
) -> list[tuple[str, Declared]]:
    """The tables that a file declares, each with its file and line."""
    try:
        content = read_yaml(path)
        _check_list("sources", content, path.name)
        Entry("a key", path.name, content, faults).spelled(FILE_KEYS)
    except SettingError as fault:
        faults.append(fault)
        return []
    found: list[tuple[str, Declared]] = []
    sources = content.get("sources") or Sequence()
    for number, source in enumerate(sources):
        if not isinstance(source, Mapping):
            place = f"source {number + 1} in {path.name} line {sources.lines[number]}"
            faults.append(SettingError(place, f"is {shown(source)}", "Give it a `name`."))
        elif _is_mirrored(source):
            found += _tables_of(source, path.name, faults, enabled)
    return found


def _check_list(key: str, content: Any, file: str) -> None:
    if not isinstance(content, Mapping):
        raise SettingError(f"{file} line 1", f"is {shown(content)}", "Begin it with `sources:`.")
    value = content.get(key)
    if value is not None and not isinstance(value, Sequence):
        raise SettingError(
            f"{file} line {content.lines[key]}", f"{key} is {shown(value)}", list_of(key)
        )


def _is_mirrored(source: Mapping) -> bool:
    """True if a source declares mirrored tables, or was meant to.

    False for a source of control tables, which are in `dwh` and `mrr_state`.
    """
    config = source.get("config", Mapping())
    places = [source.get("meta", Mapping())]
    places.append(config.get("meta", Mapping()) if isinstance(config, Mapping) else None)
    return source.get("schema", source.get("name")) == MIRROR_SCHEMA or any(
        not isinstance(place, Mapping) or DATABASE in place for place in places
    )


def _misplaced_sources(path: Path) -> Iterator[SettingError]:
    """The errors for sources of mirrored tables outside models/mrr, where they are not read."""
    try:
        content = read_yaml(path) if DATABASE.encode() in path.read_bytes() else None
    except (OSError, SettingError):
        return  # dbt reads the file too, and reports it
    sources = content.get("sources") if isinstance(content, Mapping) else None
    for source in sources if isinstance(sources, Sequence) else []:
        if isinstance(source, Mapping) and _is_mirrored(source):
            yield SettingError(
                f"{source.get('name')} in {path.name} line {source.line}",
                f"is in the folder {path.parent.name}, where its tables would not be mirrored",
                "Move the file below models/mrr/.",
            )


def _tables_of(
    values: Mapping, file: str, faults: list[SettingError], enabled: bool
) -> Iterator[tuple[str, Declared]]:
    """The tables of one source that are enabled, or are not, each with its file and line."""
    source = Entry(_named(values, "a source"), file, values, faults)
    domain = source.required("name", a_name)
    source.value("schema", _the_mirror_schema)
    if "schema" not in values and domain != MIRROR_SCHEMA:
        source.refuse("name", "schema is missing", f"Give it `schema: {MIRROR_SCHEMA}`.")
    _refuse_dbt_properties(source)
    config = _config(source, SOURCE_KEYS)
    is_enabled = config.value("enabled", a_boolean, True)
    meta = config.part("meta")
    meta.only(SOURCE_META)
    database = meta.required(DATABASE, a_mysql_name)
    shared = {
        "domain": domain,
        "database": database,
        "source": meta.value("source", a_source_name, "").lower(),
    }
    tables = source.value("tables", a_list("tables")) or Sequence()
    for number, entry in enumerate(tables):
        if not isinstance(entry, Mapping):
            line = tables.lines[number]
            faults.append(
                SettingError(
                    f"a table of {source.subject} in {file} line {line}",
                    f"is {shown(entry)}",
                    "Give it a `name`, as in `- name: mrr_fact_shop_orders`.",
                )
            )
            continue
        table = Entry(_named(entry, f"a table of {source.subject}"), file, entry, faults)
        config = _config(table, TABLE_KEYS)
        if config.value("enabled", a_boolean, is_enabled) is enabled:
            meta = config.part("meta")
            yield table.place("name"), _maker(meta)(table, meta, shared)


def _config(entry: Entry, keys: set[str]) -> Entry:
    """The `config` of a source or a table that may have these keys."""
    entry.spelled(keys)
    config = entry.part("config", "config.")
    config.spelled(CONFIG_KEYS)
    return config


def _mirrored_table(table: Entry, meta: Entry, shared: dict[str, Any]) -> MirroredTable:
    """The table of an entry; `shared` are the fields that its source gives all its tables."""
    name = _table_name(table)
    meta.only(TABLE_META)
    operational_table = meta.value("operational_table", a_mysql_name, name)
    key = tuple(meta.required("key", a_key) or ())
    return MirroredTable(
        **shared,
        name=name or "",
        table=operational_table,
        key=key,
        cursor=meta.value("cursor", a_column),
        # at least 2, since a server may round a timestamp by a second
        overlap_seconds=meta.value("overlap_seconds", a_number(2, YEAR), OVERLAP_SECONDS),
        overlap_values=meta.value("overlap_values", a_number(0, 2**64 - 1), OVERLAP_VALUES),
        verify_within_seconds=meta.value(
            "verify_within_seconds", a_number(60, YEAR), VERIFY_WITHIN_SECONDS
        ),
        allow_engine=meta.value("allow_engine", a_mysql_name),
        person=person_of(table, meta, shared["domain"], key),
    )


def _maker(meta: Entry) -> Callable[[Entry, Entry, dict[str, Any]], Declared]:
    """What makes the table of an entry with this meta."""
    if LANDED_FROM not in meta.values:
        return _mirrored_table
    return _collection_table if meta.values[LANDED_FROM] == DOCUMENTS else _event_table


def _event_table(table: Entry, meta: Entry, shared: dict[str, Any]) -> EventTable:
    meta.only(LANDED_META)
    meta.value(LANDED_FROM, _a_kind_of_landed)
    name, person = _landed(table, meta, shared, EVENTS)
    if person and person.erases_rows:
        hint = "Give false: an event is kept, and names nobody then."
        meta.refuse("person", "person.erases_rows is true for events", hint)
    return EventTable(shared["domain"], name, person=person)


def _collection_table(table: Entry, meta: Entry, shared: dict[str, Any]) -> CollectionTable:
    meta.only(LANDED_META | {"collection"})
    name, person = _landed(table, meta, shared, DOCUMENTS)
    if person and person.column == "_id" and not person.erases_rows:
        hint = f"Give true: {NOBODY}."
        meta.refuse("person", 'person.erases_rows is false, and "_id" is the key', hint)
    collection = meta.required("collection", a_collection)
    return CollectionTable(shared["domain"], name, collection or "", person=person)


def _landed(
    table: Entry, meta: Entry, shared: dict[str, Any], kind: str
) -> tuple[str, Person | None]:
    """The name and the person of a table that no source is read for."""
    wanted = KEYS_OF_LANDED[kind]
    hint = f"Give `key: [{wanted[0]}]`."
    key = tuple(meta.required("key", lambda value: None if value == wanted else hint) or ())
    return _table_name(table) or "", person_of(table, meta, shared["domain"], key)


def _table_name(table: Entry) -> str | None:
    """The name that an entry gives its table, which no other property may change."""
    table.never("identifier", "The mirrored table has the `name` of its entry; leave it out.")
    _refuse_dbt_properties(table)
    name: str | None = table.required("name", a_name)
    return name


def _a_kind_of_landed(value: Any) -> str | None:
    hint = "Give `events` or `documents`; other tables are mirrored."
    return None if value in list(KEYS_OF_LANDED) else hint


def _refuse_dbt_properties(entry: Entry) -> None:
    """Refuse properties that lead dbt to another relation, or that the extractor does not read."""
    entry.never("meta", "Move it below `config:`, as `config.meta`.")
    entry.never("database", "The mirror is in the warehouse's own database; leave it out.")
    entry.never("overrides", "Tables are mirrored only for this project; leave it out.")
    quoting = entry.part("quoting", "quoting.")
    for key in list(quoting.values):
        quoting.value(key, lambda value: None if value is True else QUOTING_HINT)


def _the_mirror_schema(value: Any) -> str | None:
    return None if value == MIRROR_SCHEMA else f"Mirrored tables are in `schema: {MIRROR_SCHEMA}`."


def _named(values: Mapping, otherwise: str) -> str:
    name = values.get("name")
    return name if isinstance(name, str) and name.isprintable() and name else otherwise
