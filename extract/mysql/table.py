"""One table of a MySQL or MariaDB server."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from hashlib import md5
from itertools import pairwise

import pymysql
from pymysql.constants import ER

from extract.column import CursorKind
from extract.errors import TableChanged
from extract.limits import LIMITS, Limits
from extract.mysql.aggregates import Aggregates
from extract.mysql.anomalies import anomaly_kinds
from extract.mysql.bitmaps import source_bitmaps
from extract.mysql.catalog import describe, identity_now
from extract.mysql.chunker import Chunker
from extract.mysql.digests import (
    pieces_of_widest,
    source_digest,
    source_key_digest,
    source_row_digest,
)
from extract.mysql.errors import STATEMENT_CUT, error_number
from extract.mysql.facts import quoted_source
from extract.mysql.fields import Field, column_field, computed_field
from extract.mysql.forgotten import held_rows, without_persons
from extract.mysql.literals import source_condition, source_equality, source_literal
from extract.mysql.reader import Reader
from extract.mysql.session import Session
from extract.progress import Progress, Report, ignore
from extract.ranges import WHOLE, Key, KeyRange, is_integer
from extract.source import Chunk, Digest, Fields, Pieces
from extract.table import TableDescription


class MySQLTable:
    """Reads one table of the source; `extract/source.py` describes the methods."""

    def __init__(
        self,
        session: Session,
        description: TableDescription,
        limits: Limits = LIMITS,
        report: Report = ignore,
        left_out: Sequence[str] = (),
    ) -> None:
        self.description = description
        self._left_out = left_out
        # of the declared table, without persons who were erased
        self._read = without_persons(description, left_out)
        self._session = session
        self._limits = limits
        self._report = report
        self._key = description.key_columns
        self._aggregates = Aggregates(session, self._read.qualified)
        self._chunker = Chunker(session, self._read)
        self._reader = Reader(
            session, self._read, self._aggregates, self._chunker, limits.smallest_range
        )

    def clock(self) -> datetime:
        return self._session.clock()

    def as_of(self) -> datetime:
        return self._session.as_of()

    def load_identity(self) -> str:
        table = self.description
        key = table.declaration.key
        facts = (self._session.identity, table.qualified, key, table.identity)
        # a load lands where the tables of its source do
        named = (table.declaration.source,) if table.declaration.source else ()
        return md5(repr((*facts, *named)).encode()).hexdigest()

    def is_empty(self) -> bool:
        return self._session.row(f"select 1 from {self._read.qualified} limit 1") is None

    def report(self, action: str, done: int, expected: int, unit: str = "rows") -> None:
        self._report(Progress(self.description.name, action, done, expected, unit))

    def reporting(self, action: str, chunks: Iterator[Chunk], expected: int = 0) -> Iterator[Chunk]:
        rows = 0
        for chunk in chunks:
            yield chunk
            rows += chunk.rows
            self.report(action, rows, expected)

    def read(
        self, fields: Fields, bound: str | None = None, known: Sequence[KeyRange] = ()
    ) -> Iterator[Chunk]:
        columns, condition = self._columns(fields), self._window(bound)
        rows = self._limits.rows_per_scan
        for number, key_range in enumerate(known):
            self.report("read", number, len(known), "ranges")
            # the number of rows beyond the last known range is unknown
            is_open = key_range.up_to is None
            for part in self._chunker.split(key_range, rows) if is_open else [key_range]:
                yield from self._reader.read(columns, condition, part, rows)
        if not known:
            for _, chunks in self._read_by_range(columns, condition, None):
                yield from chunks

    def read_by_range(
        self, fields: Fields, above: Key | None
    ) -> Iterator[tuple[KeyRange, Iterator[Chunk]]]:
        yield from self._read_by_range(self._columns(fields), "true", above, relies_on_copy=True)

    def read_exactly(self) -> None:
        self._reader.is_fast = False

    def read_range(self, fields: Fields, key_range: KeyRange) -> Iterator[Chunk]:
        columns, rows = self._columns(fields), self._limits.rows_per_value
        is_long = key_range == WHOLE and self.description.estimated_rows > rows
        for part in self._chunker.split(key_range, rows) if is_long else [key_range]:
            yield from self._reader.read(columns, "true", part, rows)

    def read_keys(self, fields: Fields, keys: list[Key]) -> Iterator[Chunk]:
        where, rows = self._has_one_of(keys), self._limits.smallest_range
        yield from self._reader.read(self._columns(fields), where, WHOLE, rows)

    def digest(self, key_range: KeyRange) -> Digest:
        return source_digest(self._aggregates, self._read, key_range, self._reader.is_fast)

    def exact_digest(self, key_range: KeyRange, mirrored: Digest) -> Digest:
        digest = source_digest(self._aggregates, self._read, key_range, is_fast=False)
        # if only the exact digest is equal, there is an anomaly, which is a sign of more
        self._reader.is_fast &= digest != mirrored
        return digest

    def key_bitmaps(self, key_range: KeyRange) -> str:
        fields = Fields(self._key)
        return source_bitmaps(
            self._session, self._read, key_range, lambda: self.read_range(fields, key_range)
        )

    def key_digest(self, key_range: KeyRange) -> Digest:
        return source_key_digest(self._aggregates, self._read, key_range)

    def is_divided_by(self, ends: Sequence[Key]) -> bool:
        # if the keys are in order, the optimizer sees that no row can satisfy the condition
        overlaps = [
            f"({source_condition(self._key, KeyRange(above=later, up_to=earlier))})"
            for earlier, later in pairwise(ends)
        ]
        size = self._limits.keys_per_statement
        try:
            return not any(
                self._session.row(
                    f"select 1 from {self._read.qualified}"
                    f" where {' or '.join(overlaps[start : start + size])} limit 1"
                )
                for start in range(0, len(overlaps), size)
            )
        except pymysql.err.Error as error:
            if error_number(error) not in STATEMENT_CUT:
                raise
            return False

    def pieces_of(self, keys: Iterable[list[Key]] | None = None) -> Pieces:
        conditions = ["true"] if keys is None else map(self._has_one_of, keys)
        return pieces_of_widest(self._session, self._read, conditions)

    def check_keys(self, flagged: list[str]) -> None:
        for where in flagged:
            anomaly_kinds(self._session, self._read, where)

    def anomalies(self, flagged: list[str]) -> Iterator[Iterator[Chunk]]:
        keys = [column_field(column) for column in self._key]
        for where in flagged:
            for kind in anomaly_kinds(self._session, self._read, where):
                name, reason = source_literal(kind.column.name), source_literal(kind.reason)
                recorded = (name, kind.value, kind.stored, reason)
                fields = keys + [computed_field(expression, quoted=True) for expression in recorded]
                yield self._read_where(fields, f"{where} and {kind.condition}")

    def check_dropped(self, names: list[str]) -> None:
        # the catalog hides columns that the account may not see; these must not become NULL
        for name in names:
            try:
                self._session.rows(
                    f"select {quoted_source(name)} from {self.description.qualified} limit 0"
                )
            except pymysql.err.Error as error:
                if error_number(error) != ER.BAD_FIELD_ERROR:
                    raise

    def held_rows(self) -> dict[str, int]:
        return held_rows(self._session, self.description, self._left_out)

    def check_unchanged(self) -> None:
        declaration = self.description.declaration
        if identity_now(self._session, declaration) != self.description.identity:
            # if the table is gone, or cannot be mirrored any more, this says so
            describe(self._session, declaration, self._limits)
            raise TableChanged(declaration.name)

    def _columns(self, fields: Fields) -> list[Field]:
        columns = [column_field(self._read.column(column.name)) for column in fields.columns]
        if not fields.has_digest:
            return columns
        digest = source_row_digest(self._read.columns, fields.pieces)
        return [*columns, computed_field(digest, quoted=False)]

    def _window(self, bound: str | None) -> str:
        """The condition of a window: at or above the bound, or NULL."""
        column = self.description.cursor_column
        if bound is None or column is None:
            return "true"
        name = column.source.name
        literal = bound if column.cursor_kind is CursorKind.NUMBER else source_literal(bound)
        return f"({name} >= {literal} or {name} is null)"

    def _has_one_of(self, keys: list[Key]) -> str:
        return "(" + " or ".join(f"({source_equality(self._key, key)})" for key in keys) + ")"

    def _read_where(self, fields: list[Field], where: str) -> Iterator[Chunk]:
        """The rows that meet a condition, which includes the range."""
        yield from self._reader.read(fields, where, WHOLE, self._limits.rows_per_value)

    def _read_by_range(
        self,
        fields: list[Field],
        condition: str,
        above: Key | None,
        relies_on_copy: bool = False,
    ) -> Iterator[tuple[KeyRange, Iterator[Chunk]]]:
        is_whole = condition == "true"
        rows = self._rows_per_value() if is_whole else self._limits.rows_per_scan
        rest = KeyRange(above)
        if self.description.estimated_rows <= rows or not self._key:
            ranges = iter([rest])
        elif is_whole and is_integer(self._key):
            ranges = self._chunker.steps(rest, rows)
        else:
            ranges = self._chunker.split(rest, rows)
        for key_range in ranges:
            read = self._reader.read(fields, condition, key_range, rows, relies_on_copy)
            yield key_range, self._counted(read)

    def _counted(self, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        rows = 0
        self._chunker.feedback(rows)
        for chunk in chunks:
            rows += chunk.rows
            self._chunker.feedback(rows)
            yield chunk

    def _rows_per_value(self) -> int:
        widest = max(self.description.row_bytes * 2, 1)
        limits = self._limits
        return max(1, min(limits.rows_per_value, limits.value_bytes // widest))
