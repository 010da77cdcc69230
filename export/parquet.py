"""Tables as files of Parquet: written as their rows come, and read again to be checked."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from psycopg2.extensions import cursor as Cursor
from pyarrow import parquet

from export.columns import ExportColumn
from export.errors import DamagedExport
from export.manifest import ManifestTable
from export.relations import Selected
from export.rows import RowStream, canonical_text, schema_of

GROUP_ROWS = 1 << 18
GROUP_BYTES = 64 << 20
"""A row group ends with this many rows or bytes: no more is kept in memory."""
CHECKED_ROWS = 1 << 16
OWNER_ONLY = 0o600
SUFFIX = ".parquet"


@dataclass
class _Groups:
    """Collects tables of Arrow into row groups of a file."""

    writer: Any
    _held: list[Any] = field(default_factory=list)

    def add(self, table: Any) -> None:
        self._held.append(table)
        rows = sum(one.num_rows for one in self._held)
        if rows >= GROUP_ROWS or sum(one.nbytes for one in self._held) >= GROUP_BYTES:
            self.flush()

    def flush(self) -> None:
        if self._held:
            held = pa.concat_tables(self._held)
            self._held = []
            self.writer.write_table(held, row_group_size=max(held.num_rows, 1))


def write_rows(
    cursor: Cursor,
    selected: Selected,
    path: Path,
    field_ids: Mapping[str, int] | None = None,
    mode: int = OWNER_ONLY,
) -> tuple[int, str]:
    """Write the selected rows to a new file; returns their number and digest.

    `field_ids` are the numbers by which a table of Iceberg knows its columns.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        with parquet.ParquetWriter(
            *(file, schema_of(selected.columns, field_ids)), compression="zstd", store_schema=True
        ) as writer:
            groups = _Groups(writer)
            stream = RowStream(selected.columns, groups.add)
            rows = stream.copy(cursor, selected.statement)
            groups.flush()
        file.flush()
        os.fsync(file.fileno())
    return rows, stream.digest.hexdigest()


def check_rows(folder: Path, table: ManifestTable) -> None:
    """Raise DamagedExport unless the file has the rows of the manifest, value by value."""
    columns = [
        ExportColumn(one.name, one.postgresql, one.parquet, "", one.is_key) for one in table.columns
    ]
    digest, rows = hashlib.sha256(), 0
    try:
        with parquet.ParquetFile(table.path(folder)) as file:
            if not file.schema_arrow.equals(schema_of(columns)):
                raise DamagedExport(folder, table.file, "it has other columns than the manifest")
            for batch in file.iter_batches(CHECKED_ROWS):
                rows += batch.num_rows
                digest.update(canonical_text(pa.Table.from_batches([batch]), columns))
    except (pa.ArrowException, OSError, KeyError) as error:
        raise DamagedExport(
            folder, table.file, f"cannot be read as Parquet ({type(error).__name__})"
        ) from None
    if rows != table.rows:
        raise DamagedExport(folder, table.file, f"{rows} rows, and the manifest has {table.rows}")
    if digest.hexdigest() != table.digest:
        problem = "the text of its rows is not that which PostgreSQL has sent"
        raise DamagedExport(folder, table.file, problem)
