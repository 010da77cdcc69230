"""Every column that people can read is described, and nothing else is."""

import csv
from typing import Any

import pytest

from common.settings import DBT_PROJECT
from docs.generate_diagrams import DOMAINS, source_diagram
from events.tables import COLUMNS as COLUMNS_OF_EVENTS
from mongodb.tables import COLUMNS as COLUMNS_OF_DOCUMENTS
from tests.support.dbt_warehouse import Warehouse

OF_DBT = {"dbt_scd_id", "dbt_updated_at", "dbt_valid_from", "dbt_valid_to"}
"""The columns that dbt adds to a snapshot."""
COLUMNS = "select table_name, column_name from information_schema.columns where table_schema = %s"


def described(nodes: list[dict[str, Any]]) -> dict[str, set[str]]:
    """The columns of each node that have a description."""
    return {
        node["name"]: {
            name for name, column in node["columns"].items() if column["description"].strip()
        }
        for node in nodes
    }


def nodes_of(demo: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [node for node in demo["nodes"].values() if node["resource_type"] == kind]


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_column_of_a_mirrored_table_is_described(demo: dict[str, Any], domain: str) -> None:
    sources = [
        one
        for one in demo["sources"].values()
        # tables of events have one shape, and so have collections
        if one["source_name"] == domain and "landed_from" not in one["config"]["meta"]
    ]
    tables = {one["name"]: one["config"]["meta"]["operational_table"] for one in sources}
    created = source_diagram(demo, domain).tables
    assert described(sources) == {
        name: {column.name for column in created[table]} for name, table in tables.items()
    }


@pytest.mark.parametrize(
    ("kind", "columns"), [("events", COLUMNS_OF_EVENTS), ("documents", COLUMNS_OF_DOCUMENTS)]
)
def test_every_column_of_a_table_that_lands_is_described(
    demo: dict[str, Any], kind: str, columns: tuple[str, ...]
) -> None:
    sources = [
        one for one in demo["sources"].values() if one["config"]["meta"].get("landed_from") == kind
    ]
    assert described(sources) == {one["name"]: set(columns) for one in sources}
    assert sources


def test_every_column_of_a_model_is_described(demo: dict[str, Any]) -> None:
    """Its contract lets it have no others."""
    models = nodes_of(demo, "model")
    assert described(models) == {model["name"]: set(model["columns"]) for model in models}
    assert all(model["contract"]["enforced"] for model in models)


def test_every_column_of_a_snapshot_is_described(demo: dict[str, Any]) -> None:
    snapshots = nodes_of(demo, "snapshot")
    assert snapshots
    for snapshot in snapshots:
        (read,) = (
            demo["nodes"][key]
            for key in snapshot["depends_on"]["nodes"]
            if demo["nodes"][key]["name"].startswith("stg_")
        )
        wanted = set(read["columns"]) | OF_DBT
        assert described([snapshot]) == {snapshot["name"]: wanted}


def test_every_column_of_a_seed_is_described(demo: dict[str, Any]) -> None:
    for seed in nodes_of(demo, "seed"):
        with (DBT_PROJECT / seed["original_file_path"]).open(encoding="utf-8") as lines:
            assert described([seed]) == {seed["name"]: set(next(csv.reader(lines)))}


def test_every_column_of_a_control_table_is_described(
    demo: dict[str, Any], warehouse: Warehouse
) -> None:
    sources = [one for one in demo["sources"].values() if one["schema"] in ("dwh", "mrr_state")]
    made: dict[str, set[str]] = {}
    for schema in ("dwh", "mrr_state"):
        for table, column in warehouse.query(COLUMNS, schema):
            made.setdefault(table, set()).add(column)
    assert described(sources) == {one["name"]: made[one["name"]] for one in sources}
    tables = {table for table, _ in warehouse.query(COLUMNS, "dwh")}
    built = {node["alias"] for node in demo["nodes"].values() if "alias" in node}
    assert tables - built <= set(described(sources))
