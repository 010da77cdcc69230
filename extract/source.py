"""The interface that every kind of source implements.

`extract/mysql` is one kind. Another would be a folder beside it whose classes have these
methods. The mirror, the landing and the comparison know nothing else about a source.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from common.settings import Address
from extract.column import Column
from extract.declarations import MirroredTable
from extract.limits import LIMITS, Limits
from extract.progress import Report, ignore
from extract.ranges import Key, KeyRange
from extract.schema import SchemaTable
from extract.table import TableDescription


@dataclass(frozen=True)
class Chunk:
    """The CSV of some rows. `rows` is what the server counted in the same statement.

    `where` is the condition that selects the rows, in the source's SQL. `is_flagged` is true if one
    of them may have a value that is not representable.
    """

    data: bytes
    rows: int
    where: str
    is_flagged: bool


@dataclass(frozen=True)
class Pieces:
    """How wide values are cut: the number of pieces, and their size in characters or octets."""

    number: int
    size: int


@dataclass(frozen=True)
class Fields:
    """What is read of each row: columns, followed by the row's digest if `has_digest`.

    The digest is always that of the whole row; `pieces` says how it is computed.
    """

    columns: tuple[Column, ...]
    has_digest: bool = False
    pieces: Pieces | None = None


@dataclass(frozen=True)
class Digest:
    """The digest of a range on one side; `sha256` is None if the server could not compute it.

    `is_fast` is true if the exact path may return another digest.
    """

    sha256: str | None
    rows: int
    is_fast: bool = field(default=False, compare=False)


class SourceTable(Protocol):
    """One table of a source. Every method may raise the driver's errors."""

    description: TableDescription

    def clock(self) -> datetime:
        """The source's clock, in UTC."""

    def as_of(self) -> datetime:
        """The earliest time that reads from now on can show, by the source's clock, in UTC."""

    def load_identity(self) -> str:
        """The identity of the table: a bulk load is continued only if it is unchanged."""

    def is_empty(self) -> bool:
        """True if the table has no row now."""

    def report(self, action: str, done: int, expected: int, unit: str = "rows") -> None:
        """Report the progress of the table."""

    def reporting(self, action: str, chunks: Iterator[Chunk], expected: int = 0) -> Iterator[Chunk]:
        """The chunks; progress is reported after each."""

    def read(
        self, fields: Fields, bound: str | None = None, known: Sequence[KeyRange] = ()
    ) -> Iterator[Chunk]:
        """Every row, or those at or above the cursor's bound, in the known ranges if any."""

    def read_by_range(
        self, fields: Fields, above: Key | None
    ) -> Iterator[tuple[KeyRange, Iterator[Chunk]]]:
        """Every row above a key, range by range; the last range has an open end.

        If COPY refuses one of their values, they are to be read again, exactly.
        """

    def read_exactly(self) -> None:
        """From now on, look for every value that is not representable; it costs more."""

    def read_range(self, fields: Fields, key_range: KeyRange) -> Iterator[Chunk]:
        """The rows of a range."""

    def read_keys(self, fields: Fields, keys: list[Key]) -> Iterator[Chunk]:
        """The rows that have one of the keys now; the keys must fit into one statement."""

    def digest(self, key_range: KeyRange) -> Digest:
        """The digest of a range, on the fast path unless an anomaly was seen."""

    def exact_digest(self, key_range: KeyRange, mirrored: Digest) -> Digest:
        """The digest of a range on the exact path, if the fast one differs from the mirror's."""

    def key_bitmaps(self, key_range: KeyRange) -> str:
        """The key bitmaps of a range: `base:bits` for 64 consecutive keys, sorted, with commas."""

    def key_digest(self, key_range: KeyRange) -> Digest:
        """The digest of the keys of a range, as for a table that has only these columns."""

    def is_divided_by(self, ends: Sequence[Key]) -> bool:
        """True if no row lies both below one of the keys and above the next one."""

    def pieces_of(self, keys: Iterable[list[Key]] | None = None) -> Pieces:
        """The pieces in which the widest of some rows, or of all rows, can be compared."""

    def check_keys(self, flagged: list[str]) -> None:
        """Raise TableError if a flagged chunk has a key that is not representable."""

    def anomalies(self, flagged: list[str]) -> Iterator[Iterator[Chunk]]:
        """The anomalies in the flagged chunks, one kind at a time.

        The rows of the chunks are the key, the column's name, the value at the source, the value
        stored instead, and the reason. Raises TableError if a key is an anomaly.
        """

    def check_dropped(self, names: list[str]) -> None:
        """Raise the source's error if a column was not dropped, but may no longer be read."""

    def held_rows(self) -> dict[str, int]:
        """How many rows the source has of each person who is left out; of kept rows, at most 1."""

    def check_unchanged(self) -> None:
        """Raise TableChanged if the table is no longer the one that was described."""


class Source(Protocol):
    """A connected source; `close` disconnects it."""

    address: Address
    identity: str
    """What distinguishes this server from every other."""

    @property
    def description(self) -> str:
        """The server's version and address, for users."""

    @property
    def moment(self) -> datetime | None:
        """The moment of the open snapshot; None if each statement reads what is there now."""

    def begin_moment(self, seconds: float) -> None:
        """Open a snapshot for at most so many seconds, if the source supports it."""

    def end_moment(self) -> None:
        """End the snapshot: each statement again reads what is there when it begins."""

    def as_of(self) -> datetime:
        """The earliest time that reads from now on can show, by the source's clock, in UTC."""

    def local_offset(self, since: datetime) -> int:
        """How many seconds the server's zone was ahead of UTC: then or now, the lesser of both."""

    def databases(self) -> list[str]:
        """The databases that the account may see, without the server's own."""

    def tables_of(self, database: str) -> list[SchemaTable]:
        """Every table and view of a database that the account may see, by name."""

    def describe(self, declaration: MirroredTable, limits: Limits = LIMITS) -> TableDescription:
        """The table as it is now. Raises TableError if it cannot be mirrored as declared."""

    def table(
        self,
        description: TableDescription,
        limits: Limits = LIMITS,
        report: Report = ignore,
        left_out: Sequence[str] = (),
    ) -> SourceTable:
        """The described table, ready to be read, without the persons that have these keys."""

    def close(self) -> None:
        """Disconnect."""
