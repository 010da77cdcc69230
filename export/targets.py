"""Where the tables of an export are written: what formats have in common, and files of Parquet."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from export.columns import ExportColumn
from export.errors import ExportError
from export.manifest import PARQUET, ManifestTable
from export.parquet import OWNER_ONLY, SUFFIX
from export.relations import Contents, ExportRelation

Note = Callable[[Sequence[ManifestTable], Path], None]
"""Lists tables as handed over in a folder: `forget` has to know of them before others can."""


class Place(Protocol):
    """Where one table is written. `path` is a file that is new, with permissions `mode`.

    With `marks_rows`, each row has the operation and the number of its last change, even if every
    row is written.
    """

    @property
    def path(self) -> Path: ...

    @property
    def mode(self) -> int: ...

    @property
    def marks_rows(self) -> bool: ...

    def contents(self, wanted: Contents) -> Contents:
        """What is to be written, if this is wanted by the position of the last export."""

    def fitted(self, columns: list[ExportColumn], is_changes: bool) -> list[ExportColumn]:
        """The columns as they can be written here."""

    def begin(self, columns: Sequence[ExportColumn], is_changes: bool) -> Mapping[str, int] | None:
        """Get ready for these columns, and return their numbers, if they have any.

        Raises OtherColumns if changes cannot be added to what is there already.
        """

    def complete(self, table: ManifestTable) -> ManifestTable:
        """Hand the file over, if this is done table by table."""


class Target(Protocol):
    """Where an export is written; `name` is that of the format."""

    @property
    def name(self) -> str: ...

    def place(self, relation: ExportRelation) -> Place:
        """The place of a table. Raises ExportError if it cannot have one."""

    def complete(self, tables: Sequence[ManifestTable]) -> None:
        """What is left to do before the export is handed over."""


class OtherColumns(Exception):
    """The columns of a table are not those of its earlier exports."""


@dataclass(frozen=True)
class ParquetFile:
    """A file in the folder of an export."""

    path: Path
    mode: int = OWNER_ONLY
    marks_rows: bool = False

    def contents(self, wanted: Contents) -> Contents:
        return wanted

    def fitted(self, columns: list[ExportColumn], is_changes: bool) -> list[ExportColumn]:
        return columns

    def begin(self, columns: Sequence[ExportColumn], is_changes: bool) -> None:
        return None

    def complete(self, table: ManifestTable) -> ManifestTable:
        return table


@dataclass(frozen=True)
class ParquetFiles:
    """Files in a folder that has another name until it is complete."""

    aside: Path
    folder: Path
    note: Note
    name: str = PARQUET

    def place(self, relation: ExportRelation) -> ParquetFile:
        if "/" in str(relation):
            raise ExportError(
                f"table {relation}", "no file can have its name", "Export a view of it instead."
            )
        return ParquetFile(self.aside / f"{relation}{SUFFIX}")

    def complete(self, tables: Sequence[ManifestTable]) -> None:
        self.note(tables, self.folder)
