"""What the project says of personal data: tags, kinds, masks and masked views, in all layers."""

from collections.abc import Iterator
from typing import Any

import pytest

from commands.scaffold.masking import MASKED, files, masked_name, stale_files
from common.settings import DBT_PROJECT
from dashboard.pbip.star import TAG, looks_personal
from privacy.kinds import read_kinds
from privacy.personal_data import Relation, read_personal_data

MASK_TYPES = {
    "hash": {"text"},
    "partial": {"text", "integer", "bigint", "smallint", "numeric", "date", "timestamptz"},
}
"""The types of which a column may have a mask; `null` fits all."""


def relations(demo: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The sources, models, snapshots and seeds of all layers."""
    yield from demo["sources"].values()
    for node in demo["nodes"].values():
        if node["resource_type"] in ("model", "snapshot", "seed"):
            yield node


def columns(demo: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Each column with its name in the project, and what its YAML says of `personal`."""
    for node in relations(demo):
        for column in node["columns"].values():
            meta = column["config"].get("meta") or {}
            yield f"{node['name']}.{column['name']}", column, meta.get("personal")


@pytest.fixture(scope="module")
def found(demo: dict[str, Any]) -> list[Relation]:
    return read_personal_data(demo)


def test_column_that_looks_personal_is_tagged_masked_or_said_not_to_be(
    demo: dict[str, Any],
) -> None:
    """In every layer, so that nothing personal begins its way without a tag."""
    open_ones = {
        name
        for name, column, personal in columns(demo)
        if looks_personal(column["name"])
        and TAG not in column["tags"]
        and personal is not False
        and "mask" not in column["config"].get("meta", {})
    }
    assert open_ones == set()


def test_column_has_the_tag_if_and_only_if_it_has_a_kind(demo: dict[str, Any]) -> None:
    kinds = read_kinds()
    wrong = {
        name: personal
        for name, column, personal in columns(demo)
        if (TAG in column["tags"]) != isinstance(personal, str)
        or (isinstance(personal, str) and personal not in kinds)
    }
    assert wrong == {}


def test_column_that_a_relation_reads_with_its_name_keeps_its_tag(demo: dict[str, Any]) -> None:
    """Whatever the name: a column of `select *`, or one that is passed on."""
    read = {node["unique_id"]: node for node in relations(demo)}
    lost = set()
    for node in relations(demo):
        for parent in node.get("depends_on", {}).get("nodes", ()):
            for column in read[parent]["columns"].values() if parent in read else ():
                kept = node["columns"].get(column["name"])
                if kept is None or TAG not in column["tags"] or TAG in kept["tags"]:
                    continue
                meta = kept["config"].get("meta") or {}
                if "mask" not in meta and meta.get("personal") is not False:
                    lost.add(f"{node['name']}.{column['name']}")
    assert lost == set()


def test_part_of_a_value_is_not_shown_beside_what_is_made_of_it(demo: dict[str, Any]) -> None:
    """An age cut to tens and its band say more together than each of them."""
    narrowed = {
        f"{node['name']}: {name}, {other}"
        for node in relations(demo)
        for name, column in node["columns"].items()
        if (column["config"].get("meta") or {}).get("mask") == "partial"
        for other in node["columns"]
        if other != name and name in other.split("_")
    }
    assert narrowed == set()


def test_exception_has_a_reason(demo: dict[str, Any]) -> None:
    """A column that looks personal, and is not."""
    wrong = {
        name
        for name, column, personal in columns(demo)
        if (personal is False) != bool((column["config"].get("meta") or {}).get("reason"))
    }
    assert wrong == set()


def test_column_without_a_tag_does_not_say_it_has_a_mask(demo: dict[str, Any]) -> None:
    """Only the generated descriptions of masked views say so."""
    said = {
        name.partition(".")[0]
        for name, column, _ in columns(demo)
        if "mask" in (column["config"].get("meta") or {})
    }
    assert said and all(name.startswith(MASKED) for name in said)


def test_every_relation_of_dwh_with_personal_columns_has_its_masked_view(
    demo: dict[str, Any], found: list[Relation]
) -> None:
    wanted = {
        masked_name(relation.name)
        for relation in found
        if relation.layer == "dwh" and not relation.is_control
    }
    made = {node["name"] for node in relations(demo) if node["name"].startswith(MASKED)}
    assert len(wanted) > 5
    assert made == wanted


def test_masked_views_are_those_of_the_tags(demo: dict[str, Any]) -> None:
    assert stale_files(demo) == [], "make masks"


def test_masked_view_whose_relation_has_another_mask_is_stale(demo: dict[str, Any]) -> None:
    column = demo["nodes"]["model.tidemark.dwh_dim_ewallet_users"]["columns"]["city"]
    page = DBT_PROJECT / "models" / "dwh" / "ewallet" / "_dwh_ewallet__masked.yml"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(column["config"]["meta"], "personal", "name")
        assert stale_files(demo) == [page]
        patch.setitem(column, "tags", [])
        assert "keyed hash" in files(demo)[page] and stale_files(demo) == [page]


def test_mask_fits_the_type_of_its_columns(demo: dict[str, Any]) -> None:
    wrong = {
        f"{node['name']}.{column['name']}"
        for node in relations(demo)
        for column in node["columns"].values()
        if (mask := column["config"].get("meta", {}).get("mask")) in MASK_TYPES
        and column["data_type"].partition("(")[0] not in MASK_TYPES[mask]
    }
    assert wrong == set()


def test_masked_view_reads_its_relation_and_nothing_else(demo: dict[str, Any]) -> None:
    for node in relations(demo):
        if node["name"].startswith(MASKED):
            (parent,) = (key.rpartition(".")[2] for key in node["depends_on"]["nodes"])
            assert masked_name(parent) == node["name"]
            assert node["raw_code"].strip() == f"{{{{ masked(ref('{parent}')) }}}}"
