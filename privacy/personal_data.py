"""The personal data of the project, by the tags in its YAML: for masks and the register."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from extract.declarations.person import PERSONAL
from privacy.kinds import Kind, read_kinds

LAYERS = ("mrr", "stg", "dwh")


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
    return sorted(found, key=lambda one: (place_of_layer(one.layer), one.domain, one.name))


def place_of_layer(schema: str) -> int:
    """The place of a schema among the layers; others, which something else loads, come first."""
    return LAYERS.index(schema) if schema in LAYERS else -1


def _meta(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    meta: Mapping[str, Any] = (entry.get("config") or {}).get("meta") or {}
    return meta


def _relation(node: Mapping[str, Any], kinds: Mapping[str, Kind]) -> Relation:
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


def _columns(node: Mapping[str, Any], kinds: Mapping[str, Kind]) -> Iterator[PersonalColumn]:
    for column in node["columns"].values():
        if PERSONAL in column["tags"]:
            name = str(_meta(column).get("personal") or "")
            # as the macro masks a column of an unknown kind
            kind = kinds.get(name, Kind("", "null"))
            yield PersonalColumn(column["name"], name, kind.category, kind.mask)
