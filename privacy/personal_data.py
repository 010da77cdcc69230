"""The personal data of the project, by the tags in its YAML: for masks and the register."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
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


def _relation(node: Mapping[str, Any], kinds: Mapping[str, dict[str, Any]]) -> Relation:
    person = (node["config"].get("meta") or {}).get("person") or {}
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
            kind = (column["config"].get("meta") or {}).get("personal") or ""
            facts = kinds.get(kind, {})
            mask = facts.get("mask") or "null"
            yield PersonalColumn(column["name"], kind, facts.get("category", ""), mask)
