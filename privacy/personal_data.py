"""The personal data of the project, by the tags in its YAML: for masks and the register."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import yaml

from common.settings import DBT_PROJECT

TAG = "personal"
MASKS = ("hash", "partial", "null")


@dataclass(frozen=True)
class PersonalColumn:
    """A column that tells of a person: its kind, the category of that, and its mask."""

    name: str
    kind: str
    category: str
    mask: str


@dataclass(frozen=True)
class Relation:
    """A relation with personal columns; `subject` is the kind of person, found by `subject_key`."""

    unique_id: str
    name: str
    layer: str
    domain: str
    subject: str
    subject_key: str
    columns: tuple[PersonalColumn, ...]

    @property
    def is_control(self) -> bool:
        """Tidemark's own table, which quotes values of any person."""
        return self.unique_id.startswith("source.") and self.layer != "mrr"


@dataclass(frozen=True)
class Retention:
    """Rows are deleted when their time `by`, a column, is older than so many days."""

    days: int
    by: str


@dataclass(frozen=True)
class Change:
    """A mirrored table whose changes a relation reads, and the columns that have its key."""

    table: str
    key: tuple[str, ...]


@dataclass(frozen=True)
class DeclaredRelation:
    """A relation as its YAML declares it: the kind of each personal column, by its name."""

    schema: str
    name: str
    domain: str
    columns: Mapping[str, str]
    retention: Retention | None
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True)
class Processing:
    """Why the personal data of a domain is processed, and on which legal basis."""

    purpose: str
    legal_basis: str


def read_personal_data(manifest: Mapping[str, Any]) -> list[Relation]:
    """The relations with personal columns, from dbt's manifest, layer by layer."""
    kinds = read_kinds()
    found = [
        relation
        for node in [*manifest["sources"].values(), *manifest["nodes"].values()]
        if node["resource_type"] in ("source", "model", "snapshot", "seed")
        and (relation := _relation(node, kinds)).columns
    ]
    layers = ("mrr", "stg", "dwh")
    return sorted(found, key=lambda one: (layers.index(one.layer), one.domain, one.name))


def read_kinds() -> dict[str, dict[str, Any]]:
    """The kinds of personal data, as `personal_data` of `dbt_project.yml` declares them."""
    project = yaml.safe_load((DBT_PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))
    kinds: dict[str, dict[str, Any]] = project["vars"]["personal_data"]
    return kinds


def declared_relations() -> list[DeclaredRelation]:
    """Every relation that the YAML declares, from the files alone, without dbt."""
    found = []
    for path in _files():
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        domain = path.parent.name
        for source in content.get("sources") or ():
            found += [_declared(one, source["schema"], domain) for one in source["tables"]]
        layer = "dwh" if path.is_relative_to(DBT_PROJECT / "snapshots") else path.parts[-3]
        for entry in (*(content.get("models") or ()), *(content.get("snapshots") or ())):
            found.append(_declared(entry, layer, domain))
    return found


def read_purposes() -> dict[str, Processing]:
    """Why the data of each domain is processed, as `meta` of its source says."""
    return {
        path.parent.name: Processing(**processing)
        for path in _files()
        for source in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("sources") or ()
        if (processing := _meta(source).get("processing"))
    }


def _files() -> Iterator[Path]:
    for folder in ("models", "snapshots"):
        yield from sorted((DBT_PROJECT / folder).rglob("*.yml"))


def _declared(entry: Mapping[str, Any], schema: str, domain: str) -> DeclaredRelation:
    columns = {
        column["name"]: kind
        for column in entry.get("columns") or ()
        if isinstance(kind := _meta(column).get("personal"), str)
    }
    retention = _meta(entry).get("retention")
    return DeclaredRelation(
        schema,
        entry["name"],
        domain,
        columns,
        Retention(**retention) if retention else None,
        tuple(Change(one["table"], tuple(one["key"])) for one in _meta(entry).get("changes") or ()),
    )


def _meta(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    meta: Mapping[str, Any] = (entry.get("config") or {}).get("meta") or {}
    return meta


def _relation(node: Mapping[str, Any], kinds: Mapping[str, dict[str, Any]]) -> Relation:
    person = _meta(node).get("person") or {}
    return Relation(
        node["unique_id"],
        node["name"],
        node["schema"],
        PurePath(node["original_file_path"]).parent.name,
        person.get("subject", ""),
        person.get("column", ""),
        tuple(_columns(node, kinds)),
    )


def _columns(
    node: Mapping[str, Any], kinds: Mapping[str, dict[str, Any]]
) -> Iterator[PersonalColumn]:
    for column in node["columns"].values():
        if TAG in column["tags"]:
            kind = _meta(column).get("personal") or ""
            facts = kinds.get(kind, {})
            mask = facts.get("mask") or "null"
            yield PersonalColumn(column["name"], kind, facts.get("category", ""), mask)
