"""A table of Iceberg is what the manifest of an export says, read without the catalog."""

from pathlib import Path
from typing import Any

from pyarrow import parquet
from pyiceberg.exceptions import ResolveError
from pyiceberg.table import StaticTable

from export.columns import ExportColumn
from export.errors import DamagedExport
from export.iceberg_catalog import iceberg_type, path_of
from export.manifest import ManifestTable
from export.rows import FIELD_ID


def check_snapshot(folder: Path, table: ManifestTable) -> None:
    """Raise DamagedExport unless the snapshot has the file, under its columns, and no deletes.

    What is in the file is not looked at.
    """
    try:
        state = StaticTable.from_metadata(table.metadata)
        snapshot = state.snapshot_by_id(table.snapshot) if table.snapshot else None
        tasks = list(state.scan(snapshot_id=table.snapshot).plan_files()) if snapshot else []
    except (OSError, ValueError, ResolveError) as error:
        problem = f"its metadata cannot be read ({type(error).__name__})"
        raise DamagedExport(folder, table.relation, problem) from None
    if snapshot is None:
        raise DamagedExport(folder, table.relation, f"has no snapshot {table.snapshot}")
    files = {path_of(task.file.file_path): task for task in tasks}
    if any(task.delete_files for task in tasks):
        raise DamagedExport(folder, table.relation, "has deletes, which no export writes")
    path = table.path(folder)
    if table.contents == "rows" and set(files) != ({path} if table.rows else set()):
        raise DamagedExport(folder, table.relation, "has other files than that of the export")
    if table.file:
        task = files.get(path)
        if task is None or task.file.record_count != table.rows:
            problem = f"does not have {table.rows} rows in {table.file}"
            raise DamagedExport(folder, table.relation, problem)
        _check_columns(folder, table, state.schemas()[snapshot.schema_id])


def _check_columns(folder: Path, table: ManifestTable, schema: Any) -> None:
    """A reader takes a column of the file by its number, and the name from the table."""
    numbers = {one.name: (one.field_id, one.field_type) for one in schema.fields}
    found = {
        one.name: int((one.metadata or {}).get(FIELD_ID.encode(), -1))
        for one in parquet.read_schema(table.path(folder))
    }
    wanted = {
        one.name: (
            found.get(one.name, -1),
            iceberg_type(ExportColumn(one.name, one.postgresql, one.parquet, "")),
        )
        for one in table.columns
    }
    if numbers != wanted:
        raise DamagedExport(folder, table.file, "its columns are not those of the table")
