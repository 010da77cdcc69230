"""dbt parses again only what has changed, and must come to the same as if it parsed everything.

It fails if a snapshot stands in YAML alone and a macro that its tests use changes; so ours are
blocks in SQL. And it does not see that a file was restored with its former modification time; a run
does.
"""

import os
from contextlib import closing
from typing import Any

import pytest
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest

from tests.support.command_line import DEMO
from tests.support.dbt_warehouse import Warehouse
from tests.support.projects import QUICKLY, Project
from warehouse.build import Builder

OF_A_PARSE = {"created_at", "build_path", "compiled_path", "checksum"}
"""What differs from parse to parse, or is that of a file instead of what is in it."""
EDITS = [
    ("macros/context/nodes_of.sql", "{%- set found", "{#- edited -#}{%- set found"),
    ("models/stg/sales/stg_dim_products.sql", "select", "-- edited\nselect"),
    ("models/stg/sales/_stg_sales__models.yml", "One row per", "A row per"),
    ("models/dwh/sales/_dwh_sales__metrics.yml", "label: Sales", "label: All sales"),
    ("models/mrr/sales/_mrr_sales__sources.yml", "tables:", "meta: {edited: true}\n    tables:"),
    ("snapshots/sales/_sales__snapshots.yml", "One row per", "A row per"),
    ("snapshots/sales/dwh_history_products.sql", "select *", "select  *"),
]


def parse(*flags: str) -> Manifest:
    parsed = dbtRunner().invoke([*QUICKLY, *flags, "parse"])
    assert parsed.exception is None, parsed.exception
    return parsed.result


def nodes_of(manifest: Manifest) -> dict[str, dict[str, Any]]:
    """What dbt knows of each node that is not switched off."""
    found = {**manifest.nodes, **manifest.sources, **manifest.unit_tests}
    found |= {**manifest.metrics, **manifest.semantic_models, **manifest.exposures}
    return {
        name: {key: value for key, value in node.to_dict().items() if key not in OF_A_PARSE}
        for name, node in found.items()
        if node.config.enabled
    }


def test_what_changed_is_parsed_to_the_same_as_everything(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in project.environment.items():
        monkeypatch.setenv(name, value)
    before = nodes_of(parse())
    for path, old, new in EDITS:
        project.edit(path, old, new)
        parse()
    partly = nodes_of(parse())
    assert partly != before
    assert partly == nodes_of(parse("--no-partial-parse"))


@pytest.mark.slow
def test_run_sees_a_file_that_is_restored_with_its_former_time(
    project: Project, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def comment_of_a_run() -> str:
        with closing(Builder(warehouse.address, demo_switch=DEMO)) as builder:
            builder.build(["dwh_dim_products"])
        return warehouse.value("select obj_description('dwh.dwh_dim_products'::regclass)")

    for name, value in project.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("warehouse.build.DBT_PROJECT", project.folder)
    monkeypatch.setattr("warehouse.build.PROJECT", project.folder.parent)
    file = project.folder / "models" / "dwh" / "sales" / "_dwh_sales__models.yml"
    before, former = file.read_text(encoding="utf-8"), file.stat()
    project.edit("models/dwh/sales/_dwh_sales__models.yml", "One row per", "A row per")
    assert comment_of_a_run().startswith("A row per")
    file.write_text(before, encoding="utf-8")
    os.utime(file, ns=(former.st_atime_ns, former.st_mtime_ns))
    assert comment_of_a_run().startswith("One row per")
