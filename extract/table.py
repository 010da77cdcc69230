"""A declared table as the source has it now."""

from dataclasses import dataclass
from datetime import datetime

from extract.column import Column, CursorKind
from extract.declarations import MirroredTable


@dataclass(frozen=True)
class TableDescription:
    """A declared table as the source has it now; `qualified` is its name in the source's SQL.

    `estimated_rows` is the optimizer's estimate. `has_snapshots` is false for an engine without
    transactions, which cannot show an earlier moment.
    """

    declaration: MirroredTable
    qualified: str
    columns: tuple[Column, ...]
    estimated_rows: int
    row_bytes: int
    created_at: datetime | None
    has_snapshots: bool = True

    @property
    def name(self) -> str:
        """The table's name in the mirror."""
        return self.declaration.name

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)

    @property
    def identity(self) -> tuple[object, ...]:
        """Changes when the table is rebuilt, altered or swapped (on MySQL not after every swap)."""
        return self.created_at, *(column.facts for column in self.columns)

    def existed_before(self, moment: datetime) -> bool:
        """True if the table can be read as of a moment, and is older than the second of the moment.

        A server dates its tables in whole seconds, so a table of that second could have been
        swapped since for another of the same second.
        """
        return (
            self.has_snapshots
            and self.created_at is not None
            and self.created_at < moment.replace(microsecond=0, tzinfo=None)
        )

    @property
    def has_numeric_cursor(self) -> bool:
        column = self.cursor_column
        return column is not None and column.cursor_kind is CursorKind.NUMBER

    @property
    def key_columns(self) -> tuple[Column, ...]:
        return tuple(self.column(name) for name in self.declaration.key)

    @property
    def cursor_column(self) -> Column | None:
        cursor = self.declaration.cursor
        return self.column(cursor) if cursor else None
