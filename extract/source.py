"""What a kind of source offers: the interface between it and everything else.

`extract/mysql` is one kind. Another is a folder beside it whose classes have these methods; the
mirror, the landing and the comparison know nothing else of a source.
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
from extract.table import TableDescription


@dataclass(frozen=True)
class Chunk:
    """The CSV of some rows. `rows` is what the server counted in the same statement.

    `where` is the condition the rows met, in the source's words. `suspect` is true where one of
    them may hold a value that PostgreSQL cannot.
    """

    data: bytes
    rows: int
    where: str
    suspect: bool


@dataclass(frozen=True)
class Pieces:
    """How the values of wide rows are cut: so many pieces, of so many characters or octets."""

    number: int
    size: int


@dataclass(frozen=True)
class Fields:
    """What is read of each row: columns, and behind them, where asked for, the row's digest.

    The digest is of the whole row, whichever columns are read; `pieces` says how it is made.
    """

    columns: tuple[Column, ...]
    has_digest: bool = False
    pieces: Pieces | None = None


@dataclass(frozen=True)
class Digest:
    """What one side holds of a range; `sha256` is None where the server could not make it whole.

    `is_plain` is true where the source, asked in full, may say otherwise.
    """

    sha256: str | None
    rows: int
    is_plain: bool = field(default=False, compare=False)


class SourceTable(Protocol):
    """One table of a source, as it is read. Every method may raise the driver's errors."""

    description: TableDescription

    def clock(self) -> datetime:
        """The source's own clock, in UTC."""

    def as_of(self) -> datetime:
        """What is read from now on is of this time or later, by the source's clock, in UTC."""

    def load_identity(self) -> str:
        """What a bulk load that was begun must still have in common with the table."""

    def is_empty(self) -> bool:
        """True where the table has no row at this moment."""

    def tell(self, action: str, done: int, expected: int, unit: str = "rows") -> None:
        """Say how far the table has come."""

    def telling(self, action: str, chunks: Iterator[Chunk], expected: int = 0) -> Iterator[Chunk]:
        """The chunks, each told of once it is used."""

    def read(
        self, fields: Fields, bound: str | None = None, known: Sequence[KeyRange] = ()
    ) -> Iterator[Chunk]:
        """Every row, or those at or above the cursor's bound, in the ranges that are known."""

    def read_by_range(
        self, fields: Fields, above: Key | None
    ) -> Iterator[tuple[KeyRange, Iterator[Chunk]]]:
        """Every row range by range, from a key on; the last range has an open end."""

    def read_range(self, fields: Fields, key_range: KeyRange) -> Iterator[Chunk]:
        """The rows of a range."""

    def read_keys(self, fields: Fields, keys: list[Key]) -> Iterator[Chunk]:
        """The rows that still have one of the keys, which are few enough for one statement."""

    def digest(self, key_range: KeyRange) -> Digest:
        """The digest of a range, in the way that costs less as long as that may do."""

    def careful_digest(self, key_range: KeyRange, mirrored: Digest) -> Digest:
        """The digest of a range, asked in full, since the quick one was not the mirror's."""

    def key_bitmaps(self, key_range: KeyRange) -> str:
        """The keys of a range, as sorted `base:bits` of 64 consecutive keys joined by commas."""

    def pieces_of(self, keys: Iterable[list[Key]] | None = None) -> Pieces:
        """The pieces in which the widest of some rows, or of all, can be compared."""

    def check_keys(self, suspects: list[str]) -> None:
        """Raise TableError where a key among the suspects cannot be held as it is."""

    def anomalies(self, suspects: list[str]) -> Iterator[Iterator[Chunk]]:
        """What the mirror does not hold as it is among the suspects, a kind at a time.

        The rows of the chunks are the key, the column's name, the value at the source, the value
        stored instead, and the reason. Raises TableError where a key is such a value.
        """

    def check_dropped(self, names: list[str]) -> None:
        """Raise the source's error where a column is not dropped, but may no longer be read."""

    def check_unchanged(self) -> None:
        """Raise TableChanged where the table is no longer the one that was described."""


class Source(Protocol):
    """A source, connected. Closed by `close`."""

    address: Address
    identity: str
    """What tells this server from every other."""

    @property
    def description(self) -> str:
        """The server's version and address, for people."""

    @property
    def moment(self) -> datetime | None:
        """The moment of which everything is read now; None where each statement has its own."""

    def begin_moment(self, seconds: float) -> None:
        """Read one moment from now on, for so many seconds at most, where the source has such."""

    def end_moment(self) -> None:
        """Let every statement read what is there when it begins."""

    def as_of(self) -> datetime:
        """What is read from now on is of this time or later, by the source's clock, in UTC."""

    def local_offset(self, since: datetime) -> int:
        """How many seconds the server's own zone was ahead of UTC, then or now: the lesser."""

    def describe(self, declaration: MirroredTable, limits: Limits = LIMITS) -> TableDescription:
        """The table as it stands. Raises TableError where it cannot be mirrored as declared."""

    def table(
        self, description: TableDescription, limits: Limits = LIMITS, report: Report = ignore
    ) -> SourceTable:
        """The table, to be read."""

    def close(self) -> None:
        """Leave the source."""
