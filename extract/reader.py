"""Rows of the source as CSV that PostgreSQL's COPY parses, written by the source server itself.

The server joins thousands of rows into one value, so Python touches one value per chunk. A chunk
is accepted only when the server raised no warning over it; otherwise it is read in smaller ranges,
and at last row by row, escaped here. Whoever copies a chunk holds its rows against the count that
the server made in the same statement (`extract/copying.py`).

The CSV has no header, quotes with ', escapes with a backslash and writes NULL as an unquoted NULL.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pymysql

from common.errors import TableError
from common.log import get_logger
from extract.catalog import TableDescription
from extract.ranges import (
    WHOLE,
    Key,
    KeyRange,
    is_integer,
    source_condition,
    source_equality,
    source_literal,
)
from extract.session import STATEMENT_CUT, Session, error_number
from extract.types import (
    NUL_PICTURE,
    RULE_OF,
    SourceColumn,
    key_order,
    key_value,
    not_held,
    odd_blank,
    plain_text,
    quoted_source,
    source_octets,
    source_text,
)

log = get_logger(__name__)

VALUE_BYTES = 4 * 1024 * 1024
ROWS_PER_VALUE = 10_000
ROWS_PER_SCAN = 100_000
KEYS_PER_STATEMENT = 500
SMALLEST_RANGE = 100
"""Ranges of this many rows or fewer are read row by row when the server cannot join them."""
STEP_ROWS = 4
"""A range may be cut without counting where it cannot have more than so many times its rows."""
SHORT = 1_024
"""Octets of a text that is quoted the quick way."""
QUICKLY_QUOTED = (
    r"""concat("'", replace(replace(cast({} as binary), "\\", "\\\\"), "'", "\\'"), "'")"""
)
"""What QUOTE() writes, at half its cost: it goes character by character.

REPLACE() takes quadratic time, in which it cannot be killed, so only short texts are quoted so.
"""
_QUOTE_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)


@dataclass(frozen=True)
class Field:
    """One field of a CSV line: the expression that the server writes, and how.

    `plain` is a cheaper expression, right where no value of the row needs to be noted. `raw` is
    what the row-wise path asks for: text, or the bytes of a binary column. `octets` is the most
    that a text can have, 0 for any number.
    """

    expression: str
    plain: str
    raw: str
    quoted: bool
    nullable: bool = True
    octets: int = 0

    def line(self, is_plain: bool) -> str:
        expression = self.plain if is_plain else self.expression
        if self.quoted:
            expression = self._in_quotes(expression)
        return expression if is_plain and not self.nullable else f"ifnull({expression}, 'NULL')"

    def _in_quotes(self, text: str) -> str:
        quickly = QUICKLY_QUOTED.format(text)
        if 0 < self.octets <= SHORT:
            return quickly
        return f"if(octet_length({text}) <= {SHORT}, {quickly}, quote({text}))"


@dataclass(frozen=True)
class Chunk:
    """The CSV of some rows. `rows` is what the server counted in the same statement.

    `where` is the condition the rows met. `suspect` is true where one of them may hold a value
    that PostgreSQL cannot.
    """

    data: bytes
    rows: int
    where: str
    suspect: bool


class Refused(Exception):
    """The server could not join the rows of a range into one value."""


def column_field(column: SourceColumn) -> Field:
    """The field that carries a column's value."""
    quoted = RULE_OF[column.data_type].quoted
    text = source_text(column)
    raw = source_octets(column) or (text if quoted else f"concat({text})")
    return Field(text, plain_text(column), raw, quoted, column.nullable, column.octets)


def computed_field(expression: str, quoted: bool) -> Field:
    """The field that carries what the server computes."""
    return Field(expression, expression, expression, quoted)


class Reader:
    """Reads one table of the source in key ranges."""

    def __init__(self, session: Session, table: TableDescription) -> None:
        self.session = session
        self.table = table
        self._key = table.key_columns
        self._key_values = ", ".join(map(key_value, self._key))
        self._key_order = ", ".join(map(key_order, self._key))
        noted = [
            predicate(column) for column in table.columns for predicate in (not_held, odd_blank)
        ]
        self._noted = " or ".join(filter(None, noted))
        self.is_plain = True
        self._held = 0

    def read(
        self, fields: list[Field], condition: str = "true", known: Sequence[KeyRange] = ()
    ) -> Iterator[Chunk]:
        """Every row that meets the condition, in the ranges that are known, if any, of the key."""
        for key_range in known:
            # nobody knows how much has come behind the last one
            is_open = key_range.up_to is None
            for part in self._split(key_range, ROWS_PER_SCAN) if is_open else [key_range]:
                yield from self._read_range(fields, condition, part, ROWS_PER_SCAN)
        if not known:
            for _, chunks in self.read_ranges(fields, condition):
                yield from chunks

    def read_ranges(
        self, fields: list[Field], condition: str = "true", above: Key | None = None
    ) -> Iterator[tuple[KeyRange, Iterator[Chunk]]]:
        """The same range by range, from a key on; the last range has an open end."""
        is_whole = condition == "true"
        rows = self._rows_per_value() if is_whole else ROWS_PER_SCAN
        rest = KeyRange(above)
        if self.table.estimated_rows <= rows or not self._key:
            ranges = iter([rest])
        elif is_whole and is_integer(self._key):
            ranges = self._steps(rest, rows)
        else:
            ranges = self._split(rest, rows)
        for key_range in ranges:
            yield key_range, self._counted(self._read_range(fields, condition, key_range, rows))

    def read_where(self, fields: list[Field], where: str) -> Iterator[Chunk]:
        """The rows that meet a condition that already says the range."""
        yield from self._read_range(fields, where, WHOLE, ROWS_PER_VALUE)

    def read_keys(self, fields: list[Field], keys: list[Key]) -> Iterator[Chunk]:
        """The rows that still have one of the keys."""
        for start in range(0, len(keys), KEYS_PER_STATEMENT):
            some = keys[start : start + KEYS_PER_STATEMENT]
            condition = " or ".join(f"({source_equality(self._key, key)})" for key in some)
            yield from self._read_range(fields, f"({condition})", WHOLE, SMALLEST_RANGE)

    def is_empty(self) -> bool:
        """True where the table has no row at this moment."""
        return self.session.row(f"select 1 from {self.table.qualified} limit 1") is None

    def condition_on(self, column: SourceColumn, bound: str) -> str:
        """The condition of a window: at or after the bound, or without a value."""
        name = quoted_source(column.name)
        literal = bound if RULE_OF[column.data_type].literal == "number" else source_literal(bound)
        return f"({name} >= {literal} or {name} is null)"

    def _rows_per_value(self) -> int:
        widest = max(self.table.row_bytes * 2, 1)
        return max(1, min(ROWS_PER_VALUE, VALUE_BYTES // widest))

    def _counted(self, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        self._held = 0
        for chunk in chunks:
            self._held += chunk.rows
            yield chunk

    def _read_range(
        self, fields: list[Field], condition: str, key_range: KeyRange, rows: int
    ) -> Iterator[Chunk]:
        where = f"{condition} and {source_condition(self._key, key_range)}"
        try:
            chunk = self._joined(fields, where)
        except Refused as refusal:
            log.info("%s: %s, read in smaller ranges", self.table.declaration.name, refusal)
        else:
            if chunk.rows:
                yield chunk
            return
        if rows <= SMALLEST_RANGE and self._key:
            yield from self._row_by_row(fields, where)
            return
        if not self._key:
            yield from self._all_rows(fields, where)
            return
        smaller = max(rows // 10, SMALLEST_RANGE)
        for part in self._split(key_range, smaller):
            yield from self._read_range(fields, condition, part, smaller)

    def _joined(self, fields: list[Field], where: str) -> Chunk:
        line = "concat(" + ", ',', ".join(field.line(self.is_plain) for field in fields) + ")"
        sql = (
            f"select cast(group_concat({line} separator '\n') as binary), count(*),"
            f" {f'bit_or({self._noted})' if self._noted else 'false'}"
            f" from {self.table.qualified} where {where}"
        )
        try:
            (value, rows, suspects), warnings = self.session.row_with_warnings(sql)
        except pymysql.err.Error as error:
            if error_number(error) in STATEMENT_CUT:
                raise Refused(f"statement cut by the server ({error_number(error)})") from None
            raise
        if suspects and self.is_plain:
            # where there is one such value there are more: from here on the careful way
            self.is_plain = False
            return self._joined(fields, where)
        if warnings:
            raise Refused(f"{warnings} warnings")
        data, has_nul = _without_quote_escapes(value or b"")
        return Chunk(data, rows, where, suspect=bool(suspects) or has_nul)

    def _row_by_row(self, fields: list[Field], where: str) -> Iterator[Chunk]:
        """A statement for each row, so that neither side holds more than one of them."""
        columns = ", ".join(field.raw for field in fields)
        source = self.table.qualified
        for key in self.session.rows(f"select {self._key_values} from {source} where {where}"):
            equal = source_equality(self._key, key)
            row = self.session.row(f"select {columns} from {source} where {equal} and ({where})")
            if row is not None:
                yield Chunk(_escaped(row), 1, where, suspect=True)

    def _all_rows(self, fields: list[Field], where: str) -> Iterator[Chunk]:
        """The rows of a table without a key, which nothing smaller than itself can name."""
        columns = ", ".join(field.raw for field in fields)
        for row in self.session.rows(f"select {columns} from {self.table.qualified} where {where}"):
            yield Chunk(_escaped(row), 1, where, suspect=True)

    def _split(self, key_range: KeyRange, rows: int) -> Iterator[KeyRange]:
        """The range cut into ranges of that many rows; the last one ends where it ended."""
        above = key_range.above
        while True:
            boundary = self._boundary(KeyRange(above, key_range.up_to), rows)
            if boundary is None or boundary == key_range.up_to:
                yield KeyRange(above, key_range.up_to)
                return
            yield KeyRange(above, boundary)
            above = boundary

    def _steps(self, rest: KeyRange, rows: int) -> Iterator[KeyRange]:
        """The rest of a table cut into ranges of about so many rows by the numbers of its key.

        That asks nothing of the server where the numbers lie close: so many numbers are as many
        rows at most. Where they do not, and at the end, the server counts the rows.
        """
        name, source = quoted_source(self._key[0].name), self.table.qualified
        (highest,) = self.session.row(f"select max({name}) from {source}")
        above, width = rest.above, 0
        while highest is not None:
            up_to = (above[0] + width,) if width else self._boundary(KeyRange(above), rows)
            if up_to is None or up_to[0] >= highest:
                break
            yield KeyRange(above, up_to)
            # its rows were counted while it was read
            span = up_to[0] - above[0] if above else 0
            width = span * rows // self._held if self._held else 0
            if width > STEP_ROWS * rows:
                width = 0
            above = up_to
        yield from self._split(KeyRange(above), rows)

    def _boundary(self, key_range: KeyRange, rows: int) -> Key | None:
        """The last key of the first so many rows of a range, None where it has fewer."""
        within = source_condition(self._key, key_range)
        boundary = self.session.row(
            f"select {self._key_values} from {self.table.qualified} where {within}"
            f" order by {self._key_order} limit 1 offset {rows - 1}"
        )
        if boundary is not None and boundary == key_range.above:
            raise TableError(
                self.table.declaration.name,
                "its key cannot be walked in order: a boundary came twice",
                "Report it, with the table's definition.",
            )
        return boundary


def _without_quote_escapes(value: bytes) -> tuple[bytes, bool]:
    r"""The value with NULs pictured, and QUOTE()'s escapes undone that COPY does not know.

    Those are `\Z` and `\0`. The second part is true where there was a NUL.
    """
    nuls = value.count(b"\0")
    if nuls:
        value = value.replace(b"\0", NUL_PICTURE.encode())
    # one byte is found a hundred times as fast as two
    if b"\\" not in value or (b"\\Z" not in value and b"\\0" not in value):
        return value, nuls > 0

    def undo(match: re.Match[bytes]) -> bytes:
        nonlocal nuls
        if match.group(1) == b"Z":
            return b"\x1a"
        if match.group(1) == b"0":
            nuls += 1
            return NUL_PICTURE.encode()
        return match.group(0)

    return _QUOTE_ESCAPE.sub(undo, value), nuls > 0


def _escaped(row: tuple[Any, ...]) -> bytes:
    """One row as a CSV line, escaped here: text in quotes, bytes as PostgreSQL's hex."""
    fields = []
    for value in row:
        if value is None:
            fields.append(b"NULL")
        elif isinstance(value, bytes):
            fields.append(b"\\x" + value.hex().encode())
        else:
            text = str(value).replace("\0", NUL_PICTURE)
            fields.append(b"'" + text.replace("\\", "\\\\").replace("'", "\\'").encode() + b"'")
    return b",".join(fields)
