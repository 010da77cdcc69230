"""What the YAML declares of personal data, relation by relation: from the files, without dbt."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.errors import SettingError
from common.settings import DBT_PROJECT
from common.suggestion import did_you_mean
from extract.declarations import (
    WrongDeclarations,
    declared_collections,
    declared_event_tables,
    declared_tables,
)
from extract.declarations.entries import Entry, a_key, a_list, a_number
from extract.declarations.person import PERSONAL, is_tagged
from extract.declarations.yaml_lines import Mapping as YamlMapping
from extract.declarations.yaml_lines import Sequence, read_yaml, yaml_files
from privacy.kinds import Kind, read_kinds

CONTROL = "control"
"""The folder in which the control tables are declared."""
END_OF_VERSION = "dbt_valid_to"
LONGEST_DAYS = 36500
PLURALS = {"models": "model", "seeds": "seed"}
Keys = Mapping[str, int]
"""How many columns the key of each mirrored table has."""


@dataclass(frozen=True)
class Retention:
    """Rows are deleted when their time `by`, a column, is older than so many days."""

    days: int
    by: str


@dataclass(frozen=True)
class Change:
    """A mirrored table whose changes a relation reads; its key, as columns written as in SQL."""

    table: str
    key: tuple[str, ...]


@dataclass(frozen=True)
class DeclaredRelation:
    """A relation as its YAML declares it: the kind of each personal column, by its name.

    `why_of_nobody` is the reason for which a mirrored table with personal columns has no `person`.
    """

    schema: str
    name: str
    domain: str
    columns: Mapping[str, str]
    retention: Retention | None
    changes: tuple[Change, ...] = ()
    why_of_nobody: str = ""


@dataclass(frozen=True)
class Processing:
    """Why the personal data of a domain is processed, and on which legal basis."""

    purpose: str
    legal_basis: str


def declared_relations(project: Path = DBT_PROJECT) -> list[DeclaredRelation]:
    """Every relation that the YAML declares. Raises WrongDeclarations."""
    keys = {table.name: len(table.key) for table in declared_tables(project)}
    keys |= {table.name: 1 for table in declared_event_tables(project)}
    keys |= {table.name: 1 for table in declared_collections(project)}
    kinds = read_kinds(project)
    faults: list[SettingError] = []
    found = [
        _relation(node, parent, schema, domain, kinds, keys)
        for node, parent, schema, domain in _nodes(project, faults)
    ]
    if faults:
        raise WrongDeclarations(faults)
    return found


def read_purposes(project: Path = DBT_PROJECT) -> dict[str, Processing]:
    """Why the data of each domain is processed, as `meta` of its source says, by the domain.

    Raises WrongDeclarations.
    """
    found: dict[str, Processing] = {}
    faults: list[SettingError] = []
    for path, content in _contents(project):
        for values in _entries(content, "sources"):
            meta = Entry(values["name"], path.name, values, faults).part("config").part("meta")
            if "processing" not in meta.values:
                continue
            entry = meta.part("processing", "processing.")
            entry.only({"purpose", "legal_basis"}, "config.meta.processing")
            purpose = entry.required("purpose", _a_sentence)
            legal_basis = entry.required("legal_basis", _a_sentence)
            found[path.parent.name] = Processing(purpose or "", legal_basis or "")
    if faults:
        raise WrongDeclarations(faults)
    return found


def _contents(project: Path) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    for folder in ("models", "seeds", "snapshots"):
        for path in yaml_files(project / folder):
            content = read_yaml(path)
            if isinstance(content, YamlMapping):
                yield path, content


def _entries(values: Mapping[str, Any], key: str) -> Iterator[YamlMapping]:
    """The mappings with a name in a list; dbt reports what else there is."""
    entries = values.get(key)
    for one in entries if isinstance(entries, Sequence) else ():
        if isinstance(one, YamlMapping) and isinstance(one.get("name"), str):
            yield one


def _nodes(project: Path, faults: list[SettingError]) -> Iterator[tuple[Entry, str, str, str]]:
    """Each relation, what it is listed under, its schema and its domain."""
    for path, content in _contents(project):
        domain, layer = path.parent.name, path.relative_to(project).parts[1]
        for source in _entries(content, "sources"):
            schema = source.get("schema") or source["name"]
            for table in _entries(source, "tables"):
                yield Entry(table["name"], path.name, table, faults), "sources", schema, domain
        for parent, schema in (("models", layer), ("seeds", "stg"), ("snapshots", "dwh")):
            for values in _entries(content, parent):
                yield Entry(values["name"], path.name, values, faults), parent, schema, domain


def _relation(
    node: Entry, parent: str, schema: str, domain: str, kinds: Mapping[str, Kind], keys: Keys
) -> DeclaredRelation:
    meta = node.part("config").part("meta")
    changes = tuple(_changes(meta, keys))
    retention = _retention(node, meta, parent, schema, domain)
    if retention and parent == "snapshots" and not changes:
        hint = "Declare `changes` beside it, so that what was made of a version is made again."
        meta.refuse("retention", "a history has a retention and no `changes`", hint)
    columns = dict(_columns(node, kinds))
    why = meta.values.get("reason") if meta.values.get("person") is False else None
    return DeclaredRelation(
        schema, node.subject, domain, columns, retention, changes, str(why or "")
    )


def _columns(node: Entry, kinds: Mapping[str, Kind]) -> Iterator[tuple[str, str]]:
    """The personal columns, each with its kind: a column has the tag if it has a kind."""
    node.value("columns", a_list("columns"))
    for values in _entries(node.values, "columns"):
        column = node.below(f"{node.subject}.{values['name']}", values)
        meta = column.part("config").part("meta")
        kind = meta.value("personal", _a_kind(kinds))
        tagged = is_tagged(values)
        if tagged and "personal" not in meta.values:
            hint = f"Give its kind: config: {{tags: [{PERSONAL}], meta: {{personal: name}}}}."
            column.refuse("name", f"it has the tag `{PERSONAL}`, and no kind", hint)
        elif tagged != bool(meta.values.get("personal")):
            hint = f"Give it both, or neither: the tag `{PERSONAL}` withholds it from analysts."
            meta.refuse("personal", "the tag and the kind contradict each other", hint)
        elif kind:
            yield values["name"], kind


def _retention(node: Entry, meta: Entry, parent: str, schema: str, domain: str) -> Retention | None:
    if "retention" not in meta.values:
        return None
    refused = PLURALS.get(parent)
    if refused or schema == "mrr" or domain == CONTROL:
        what = f"of a {refused}" if refused else "of a mirrored or control table"
        hint = "Declare it for a history, or a table of events that something else loads."
        meta.refuse("retention", f"a retention {what}", hint)
        return None
    entry = meta.part("retention", "retention.")
    entry.only({"days", "by"}, "config.meta.retention")
    days = entry.required("days", a_number(1, LONGEST_DAYS))
    by = entry.required("by", _a_time_of(node, parent))
    return Retention(days, by) if days and by else None


def _changes(meta: Entry, keys: Keys) -> Iterator[Change]:
    if meta.value("changes", a_list("changes")) is None:
        return
    for values in meta.values["changes"]:
        if not isinstance(values, YamlMapping):
            hint = "Write each as {table: mrr_fact_sales, key: [sale_id]}."
            meta.refuse("changes", "an item of `changes` is not a table with its key", hint)
            continue
        entry = meta.below(meta.subject, values, "changes.")
        entry.only({"table", "key"}, "an item of config.meta.changes")
        table = entry.required("table", _a_table(keys))
        key = entry.required("key", a_key)
        if table and key is not None and len(key) != keys[table]:
            hint = f"The key of {table} has {keys[table]}; name a column for each, in its order."
            entry.refuse("key", f"changes.key has {len(key)} columns", hint)
        elif table and key:
            yield Change(table, tuple(key))


def _a_time_of(node: Entry, parent: str) -> Callable[[Any], str | None]:
    """The rule for the column by which rows are too old."""
    if parent == "snapshots":
        hint = f"Give {END_OF_VERSION}, when a version ended; by another, open ones would go too."
        return lambda value: None if value == END_OF_VERSION else hint
    names = [values["name"] for values in _entries(node.values, "columns")]

    def rule(value: Any) -> str | None:
        if value in names:
            return None
        near = did_you_mean(value, names) if isinstance(value, str) else ""
        return f"{near}Give a column with a time that is declared below `columns`."

    return rule


def _a_kind(kinds: Mapping[str, Kind]) -> Callable[[Any], str | None]:
    def rule(value: Any) -> str | None:
        if value is False or (isinstance(value, str) and value in kinds):
            return None
        near = did_you_mean(value, kinds) if isinstance(value, str) else ""
        known = ", ".join(kinds) or "none"
        return f"{near}Give a kind of `personal_data` in dbt_project.yml ({known}), or false."

    return rule


def _a_table(keys: Keys) -> Callable[[Any], str | None]:
    def rule(value: Any) -> str | None:
        if isinstance(value, str) and value in keys:
            return None
        near = did_you_mean(value, keys) if isinstance(value, str) else ""
        return f"{near}Give a mirrored table that is declared in models/mrr."

    return rule


def _a_sentence(value: Any) -> str | None:
    return None if isinstance(value, str) and value.strip() else "Give it as a text."
