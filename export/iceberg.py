"""Tables of Iceberg: each is written by one snapshot, which says up to which change it is.

A table with a key is a log: the rows of the first export, and after them what changed, appended.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pyiceberg.exceptions import ValidationException
from pyiceberg.io.pyarrow import parquet_file_to_data_file
from pyiceberg.table.update import ValidatableTableRequirement

from common.pause import pause_point
from common.settings import Address
from export.columns import STRING, ExportColumn
from export.errors import ExportError
from export.folders import reason_of, sync
from export.iceberg_catalog import (
    WarehouseCatalog,
    found_in,
    iceberg_type,
    path_of,
    told,
    uri_of,
)
from export.manifest import DATA, ICEBERG, ManifestTable
from export.parquet import SUFFIX
from export.relations import Contents, ExportRelation
from export.targets import Note, OtherColumns

READ_BY_OTHERS = 0o666
"""The permissions of a file, less those that the umask takes away."""
MOST_DIGITS = 38
TO_CHANGE = "tidemark.to-change"
RUN_ID = "tidemark.run-id"
ASIDE = ".{}.partial"
PLAIN = re.compile(r"[\w./@+=~-]+", re.ASCII)
"""The characters of a path that every reader takes in a URI as they are."""


@contextmanager
def iceberg_tables(
    address: Address, directory: Path, run_id: str, note: Note
) -> Iterator["IcebergTables"]:
    """The tables below a directory, which is made; `note` is called before each commit.

    Raises ExportError if it cannot be written to, or if readers would not find what is in it.
    """
    directory = directory.absolute()
    if not PLAIN.fullmatch(str(directory)):
        raise ExportError(
            f"ICEBERG_DIRECTORY {directory}",
            "has characters with which readers of Iceberg do not find its files",
            "Set it to a path of letters without accents, digits, and ._-+=@~ only.",
        )
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with closing(WarehouseCatalog(address)) as catalog:
            tables = IcebergTables(catalog, directory, run_id, note)
            try:
                yield tables
            finally:
                for path in tables.asides:
                    path.unlink(missing_ok=True)
    except OSError as error:
        raise ExportError(
            f"tables of Iceberg in {directory}",
            f"cannot be written: {reason_of(error)}",
            "Set ICEBERG_DIRECTORY to a place with enough space that you may write to. A table"
            " that was made before stays where it is.",
        ) from None


@dataclass(frozen=True)
class IcebergTables:
    """The tables of a catalog, and the directory for new ones."""

    catalog: WarehouseCatalog
    directory: Path
    run_id: str
    note: Note
    name: str = ICEBERG
    asides: list[Path] = field(default_factory=list)

    def place(self, relation: ExportRelation) -> "IcebergTable":
        with told(relation):
            table = found_in(self.catalog, relation)
        location = path_of(table.location()) if table else self._new_location(relation)
        place = IcebergTable(self, relation, location, table, marks_rows=relation.has_changes)
        place.path.parent.mkdir(parents=True, exist_ok=True)
        for left in place.path.parent.glob(ASIDE.format("*")):
            left.unlink()
        self.asides.append(place.path)
        return place

    def complete(self, tables: Sequence[ManifestTable]) -> None:
        """Nothing is left to do: each table was handed over when it was complete."""

    def _new_location(self, relation: ExportRelation) -> Path:
        """The folder of a new table: not one that has had a table of another catalog."""
        plain = re.sub(r"\W", "_", relation.name, flags=re.ASCII)
        folder, number = self.directory / relation.schema / plain, 1
        while (folder / "metadata").exists():
            number += 1
            folder = folder.with_name(f"{plain}-{number}")
        return folder


# its package has no types for the checker
class EndsAt(ValidatableTableRequirement):  # type: ignore[misc]
    """What changes go on from: pyiceberg would add them to a table that was set back meanwhile."""

    type: str = "tidemark-ends-at"
    change: int

    def validate(self, base_metadata: Any) -> None:
        if base_metadata is not None and last_change(base_metadata) != self.change:
            raise ValidationException(f"it does not end with the change {self.change} any more")


@dataclass
class IcebergTable:
    """A table, and the transaction in which the rows of an export become a snapshot of it."""

    tables: IcebergTables
    relation: ExportRelation
    location: Path
    table: Any
    marks_rows: bool
    mode: int = READ_BY_OTHERS
    _is_changes: bool = False
    _transaction: Any = None

    @property
    def path(self) -> Path:
        return self.location / DATA / ASIDE.format(self.tables.run_id)

    def contents(self, wanted: Contents) -> Contents:
        """Changes go on where the table ends: after a kill, that is after the noted position."""
        if wanted.after is None:
            return wanted
        ends = last_change(self.table) if self.table else None
        if ends is None:
            return Contents(reason="its table of Iceberg has no snapshot of an export")
        if ends < wanted.after:
            return Contents(reason="its table of Iceberg was set back to an earlier snapshot")
        return replace(wanted, after=ends)

    def fitted(self, columns: list[ExportColumn], is_changes: bool) -> list[ExportColumn]:
        texts = set()
        if is_changes:
            fields = self.table.schema().fields
            texts = {one.name for one in fields if str(one.field_type) == STRING}
        return [_fitted(column, column.name in texts) for column in columns]

    def begin(self, columns: Sequence[ExportColumn], is_changes: bool) -> Mapping[str, int]:
        wanted = {column.name: iceberg_type(column) for column in columns}
        with told(self.relation):
            if self.table is None:
                catalog = self.tables.catalog
                self._transaction = catalog.new_table(self.relation, self.location, wanted)
            else:
                self._transaction = self.table.transaction()
                self._change_schema(wanted, is_changes)
        self._is_changes = is_changes
        schema = self._transaction.table_metadata.schema()
        return {one.name: one.field_id for one in schema.fields}

    def _change_schema(self, wanted: Mapping[str, Any], is_changes: bool) -> None:
        """A column of another type is another column: every row is written again then."""
        present = {one.name: one.field_type for one in self.table.schema().fields}
        if present == wanted:
            return
        if is_changes:
            raise OtherColumns
        with self._transaction.update_schema(allow_incompatible_changes=True) as update:
            for name, kind in present.items():
                if wanted.get(name) != kind:
                    update.delete_column((name,))
            for name, kind in wanted.items():
                if present.get(name) != kind:
                    update.add_column((name,), kind)

    def complete(self, table: ManifestTable) -> ManifestTable:
        """Commit the rows: the table has all of them, or none."""
        if table.after_change is not None and not table.rows:
            # the table is that of this moment already
            table = replace(table, to_change=table.after_change)
            return self._stated(replace(table, file="", bytes=0, sha256=""), self.table)
        table = replace(table, file=f"{self.tables.run_id}{SUFFIX}" if table.rows else "")
        self.tables.note([table], self.location)
        if table.rows:
            self.path.rename(self.location / DATA / table.file)
            sync(self.location / DATA)
        pause_point("iceberg committing")
        try:
            with told(self.relation):
                self._commit(table)
        except Exception:
            # whatever stopped it, which goes on: the file is of no use then
            self._remove_unless_committed(table)
            raise
        pause_point("iceberg committed")
        return self._stated(table, self._transaction._table)

    def _commit(self, table: ManifestTable) -> None:
        update = self._transaction.update_snapshot(
            snapshot_properties={
                RUN_ID: self.tables.run_id,
                "tidemark.contents": table.contents,
                TO_CHANGE: str(table.to_change),
                "tidemark.rows": str(table.rows),
                "tidemark.digest": table.digest,
            }
        )
        with update.fast_append() if self._is_changes else update.overwrite() as snapshot:
            if self.table is not None and not self._is_changes:
                for task in self.table.scan().plan_files():
                    snapshot.delete_data_file(task.file)
            if table.rows:
                snapshot.append_data_file(self._data_file(table))
        if table.after_change is not None:
            self._transaction._requirements += (EndsAt(change=table.after_change),)
        self._transaction.commit_transaction()

    def _data_file(self, table: ManifestTable) -> Any:
        """The file as Iceberg knows it, with the bounds of its columns."""
        file = uri_of(self.location / DATA / table.file)
        metadata, io = self._transaction.table_metadata, self._transaction._table.io
        try:
            return parquet_file_to_data_file(io, metadata, file)
        except (OverflowError, ValueError):
            # a bound is a date that Python does not have: readers do without any
            properties = {**metadata.properties, "write.metadata.metrics.default": "counts"}
            metadata = metadata.model_copy(update={"properties": properties})
            return parquet_file_to_data_file(io, metadata, file)

    def _remove_unless_committed(self, table: ManifestTable) -> None:
        """Remove the file of a commit that failed; leave it if nobody can say whether it did."""
        with suppress(Exception):
            state = found_in(self.tables.catalog, self.relation)
            snapshots = state.snapshots() if state else []
            runs = {one.summary.additional_properties.get(RUN_ID) for one in snapshots}
            if table.file and self.tables.run_id not in runs:
                (self.location / DATA / table.file).unlink()

    def _stated(self, table: ManifestTable, state: Any) -> ManifestTable:
        return replace(
            table,
            location=str(self.location),
            metadata=state.metadata_location,
            snapshot=state.current_snapshot().snapshot_id,
        )


def _fitted(column: ExportColumn, is_text: bool) -> ExportColumn:
    if column.parquet == "int16":
        return replace(column, parquet="int32")
    if column.kind == "decimal" and column.decimal[0] > MOST_DIGITS:
        return column.as_text(
            f"it is a text: Iceberg has no decimal of more than {MOST_DIGITS} digits"
        )
    if is_text and column.limit:
        # a value of an earlier export was one that the type cannot hold
        return column.as_text("it is a text, as in the rows of earlier exports")
    return column


def last_change(table: Any) -> int | None:
    """Up to which change a table goes, by the newest snapshot of an export that it is built on.

    Its metadata are enough.
    """
    snapshot = table.current_snapshot()
    while snapshot is not None:
        noted = snapshot.summary.additional_properties.get(TO_CHANGE) if snapshot.summary else None
        if noted is not None:
            return int(noted)
        parent = snapshot.parent_snapshot_id
        snapshot = None if parent is None else table.snapshot_by_id(parent)
    return None
