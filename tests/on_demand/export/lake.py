"""Exports into tables of Iceberg, of a warehouse without any run."""

from pathlib import Path
from typing import Any

from psycopg2.extensions import connection as Connection
from pyiceberg.table import StaticTable

from commands.export import check
from common.settings import Address
from export.exporting import Export, write_export
from export.manifest import ICEBERG, ManifestTable, read_manifest
from export.relations import ExportRelation
from tests.export.conftest import ITEMS
from warehouse.exports import Run


class Lake:
    """The exports of mrr.items into tables of Iceberg that are this test's own."""

    def __init__(self, address: Address, connection: Connection, folder: Path) -> None:
        self.address, self.connection, self.folder = address, connection, folder
        self.number = 0

    def export(
        self, changes: bool = True, relation: ExportRelation = ITEMS, form: str = ICEBERG
    ) -> ManifestTable:
        self.number += 1
        name = f"run{self.number}"
        wanted = Export(
            *([relation], form, changes, self.folder / name),
            *(self.folder / "lake", Run(name, 30)),
        )
        manifest = write_export(self.address, self.connection, wanted, lambda table, seconds: None)
        assert read_manifest(self.folder / name) == manifest
        assert check(self.folder / name) == 0
        return manifest.tables[0]

    def state(self, table: ManifestTable) -> Any:
        return StaticTable.from_metadata(table.metadata)

    def rows(self, table: ManifestTable) -> list[dict]:
        return self.state(table).scan().to_arrow().to_pylist()
