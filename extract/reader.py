"""Rows of the source as CSV that PostgreSQL's COPY parses, written by the source server itself.

The server joins thousands of rows into one value, so Python touches one value per chunk. Where it
raises a warning over it, it is asked once more for what tells whether the value is whole; one that
is not is read in smaller ranges, and at last row by row, escaped here. Whoever copies a chunk holds
its rows against the count that the server made in the same statement (`extract/copying.py`).

The CSV has no header, quotes with ', escapes with a backslash and writes NULL as an unquoted NULL.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pymysql

from common.errors import TableError
from common.log import get_logger
from extract.catalog import TableDescription
from extract.column import SourceColumn, quoted_source
from extract.progress import Progress, ignore
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
from extract.texts import UTF8, has_nul, no_unicode, storable
from extract.types import (
    RULE_OF,
    can_be_wide,
    key_order,
    key_value,
    not_held,
    odd_blank,
    plain_text,
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
QUICKLY_QUOTED = r"""concat("'", replace(replace({}, "\\", "\\\\"), "'", "\\'"), "'")"""
"""What QUOTE() writes, at half its cost: it goes character by character.

REPLACE() takes quadratic time, in which it cannot be killed, so only short texts are quoted so.
"""
_QUOTE_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_QUOTED_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\0")
_SURROGATE = re.compile(rb"\xed[\xa0-\xbf]")


@dataclass(frozen=True)
class Field:
    """One field of a CSV line: the expression that the server writes, and how.

    `plain` is a cheaper expression, right where no value of the row needs to be noted. `bare` is
    the value as it is without a function, for which nothing is too wide: a text, or the bytes of a
    binary one; NULL where no value is wide. `octets` is the most that a text can have, 0 for any
    number. `column` is set where the field carries one whose values may be wide.
    """

    expression: str
    plain: str
    bare: str
    quoted: bool
    nullable: bool = True
    octets: int = 0
    column: SourceColumn | None = None

    def line(self, is_plain: bool) -> str:
        expression = self.plain if is_plain else self.expression
        if self.quoted:
            expression = self._in_quotes(expression)
        if self.column and self.nullable:
            # an expression that is too wide is NULL to the server, and then all of the line is
            return f"if({quoted_source(self.column.name)} is null, 'NULL', {expression})"
        if self.column or (is_plain and not self.nullable):
            return expression
        return f"ifnull({expression}, 'NULL')"

    def _in_quotes(self, text: str) -> str:
        quickly = QUICKLY_QUOTED.format(text)
        if 0 < self.octets <= SHORT:
            return quickly
        # QUOTE() of a text that was too wide, and so is NULL, is the word NULL
        quoted = f"when {text} is not null then quote({text})"
        return f"case when octet_length({text}) <= {SHORT} then {quickly} {quoted} end"


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
    text, plain = source_text(column), plain_text(column)
    if not can_be_wide(column):
        return Field(text, plain, "null", quoted, column.nullable, column.octets)
    bare = source_octets(column) or quoted_source(column.name)
    return Field(text, plain, bare, quoted, column.nullable, column.octets, column)


def computed_field(expression: str, quoted: bool) -> Field:
    """The field that carries what the server computes."""
    return Field(expression, expression, "null", quoted)


class Reader:
    """Reads one table of the source in key ranges."""

    def __init__(self, session: Session, table: TableDescription) -> None:
        self.session = session
        self.table = table
        self._key = table.key_columns
        self._key_values = ", ".join(map(key_value, self._key))
        self._key_order = ", ".join(map(key_order, self._key))
        odd = [
            f"case when {condition} then hex(cast({quoted_source(column.name)} as binary)) end"
            for column in self._key
            if (condition := no_unicode(column))
        ]
        self._odd_key = "null"
        if odd:
            self._odd_key = f"nullif(concat_ws(' ', {', '.join(odd)}), '')"
        self.is_plain = True
        self._has_warned = False
        self.report: Callable[[Progress], None] = ignore
        self._held = 0

    def read(
        self, fields: list[Field], condition: str = "true", known: Sequence[KeyRange] = ()
    ) -> Iterator[Chunk]:
        """Every row that meets the condition, in the ranges that are known, if any, of the key."""
        for number, key_range in enumerate(known):
            self.tell("read", number, len(known), "ranges")
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
        """The rows that still have one of the keys, which are KEYS_PER_STATEMENT at most."""
        yield from self._read_range(fields, self.condition_of(keys), WHOLE, SMALLEST_RANGE)

    def condition_of(self, keys: list[Key]) -> str:
        """The condition that a row has one of the keys."""
        return "(" + " or ".join(f"({source_equality(self._key, key)})" for key in keys) + ")"

    def tell(self, action: str, done: int, expected: int, unit: str = "rows") -> None:
        """Say how far the table has come."""
        self.report(Progress(self.table.declaration.name, action, done, expected, unit))

    def telling(self, action: str, chunks: Iterator[Chunk], expected: int = 0) -> Iterator[Chunk]:
        """The chunks, each told of once it is used."""
        rows = 0
        for chunk in chunks:
            yield chunk
            rows += chunk.rows
            self.tell(action, rows, expected)

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
            # nothing smaller than the table itself can be named
            yield from self._whole_rows(fields, where)
            return
        smaller = max(rows // 10, SMALLEST_RANGE)
        for part in self._split(key_range, smaller):
            yield from self._read_range(fields, condition, part, smaller)

    def aggregate(self, values: list[str], text: str, where: str) -> tuple[Any, ...]:
        """Aggregates of the rows that meet a condition, and last how many rows these are.

        One of the values joins the `text` of every row, with a character between two of them at
        most. Raises Refused where the server could not make that whole.
        """
        asked, source = ", ".join([*values, "count(*)"]), self.table.qualified
        try:
            if not self._has_warned:
                row, warnings = self.session.row_with_warnings(
                    f"select {asked} from {source} where {where}"
                )
                if not warnings:
                    return row
            # it warns of what it cut, and of much that has nothing to do with it
            row, _ = self.session.row_with_warnings(
                f"select {asked}, sum(octet_length({text})), count({text}),"
                " least(@@group_concat_max_len, @@max_allowed_packet)"
                f" from {source} where {where}"
            )
        except pymysql.err.Error as error:
            if error_number(error) in STATEMENT_CUT:
                raise Refused(f"statement cut by the server ({error_number(error)})") from None
            raise
        *found, rows, octets, texts, most_octets = row
        if texts != rows or int(octets or 0) + rows > most_octets:
            raise Refused("wider than the server can join")
        self._has_warned = True
        return (*found, rows)

    def _joined(self, fields: list[Field], where: str) -> Chunk:
        line = "concat(" + ", ',', ".join(field.line(self.is_plain) for field in fields) + ")"
        noted = self._noted()
        value, suspects, rows = self.aggregate(
            [
                f"cast(group_concat({line} separator '\n') as binary)",
                f"bit_or({noted})" if noted else "false",
            ],
            line,
            where,
        )
        value = value or b""
        if self.is_plain and (suspects or _is_odd(value)):
            # where there is one such value there are more: from here on the careful way
            self.is_plain = False
            return self._joined(fields, where)
        if not self.is_plain and _is_odd(value):
            raise Refused("a text too wide for the source to see what is odd about it")
        return Chunk(_without_quote_escapes(value), rows, where, bool(suspects))

    def _noted(self) -> str:
        """The predicate of a row with a value that needs to be noted.

        It leaves out what is seen in the bytes that come of the plain way.
        """
        noted = []
        for column in self.table.columns:
            noted += [not_held(column), odd_blank(column)]
            if not (self.is_plain and column.charset in UTF8):
                noted.append(no_unicode(column))
            if not self.is_plain:
                noted.append(has_nul(column))
        return " or ".join(filter(None, noted))

    def _row_by_row(self, fields: list[Field], where: str) -> Iterator[Chunk]:
        """A statement for each row, so that neither side holds more than one of them."""
        for key in self._keys(where):
            chunks = list(
                self._whole_rows(fields, f"{source_equality(self._key, key)} and ({where})")
            )
            if not chunks and key in self._keys(where):
                raise TableError(
                    self.table.declaration.name,
                    f"the source lists a row with the key {key}, and finds none by it",
                    "Correct the key at the source, or set `key` to another unique key.",
                )
            yield from chunks

    def _whole_rows(self, fields: list[Field], where: str) -> Iterator[Chunk]:
        """Rows as they come; a value that is too wide for a function, as it is without."""
        values = ", ".join(f"concat({field.expression}), {field.bare}" for field in fields)
        sql = f"select {values} from {self.table.qualified} where {where}"
        for row in self.session.rows_of_octets(sql):
            pairs = zip(fields, row[::2], row[1::2], strict=True)
            data = b",".join(_escaped(*pair) for pair in pairs)
            yield Chunk(data, 1, where, suspect=True)

    def _keys(self, where: str, tail: str = "") -> list[Key]:
        """The keys of rows as the driver hands them back. Raises TableError for one it cannot."""
        source = self.table.qualified
        try:
            found = self.session.rows(
                f"select {self._key_values}, {self._odd_key} from {source} where {where}{tail}"
            )
        except UnicodeDecodeError as error:
            raise self._no_key(error.object.hex().upper()) from None
        for *_, octets in found:
            if octets is not None:
                raise self._no_key(octets)
        return [tuple(key) for *key, _ in found]

    def _no_key(self, octets: str) -> TableError:
        return TableError(
            self.table.declaration.name,
            f"a key holds a value that PostgreSQL cannot: x'{octets}' is no Unicode text",
            "Correct the row at the source, or set `key` to another unique key.",
        )

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
        found = self._keys(within, f" order by {self._key_order} limit 1 offset {rows - 1}")
        boundary = found[0] if found else None
        if boundary is not None and boundary == key_range.above:
            raise TableError(
                self.table.declaration.name,
                "its key cannot be walked in order: a boundary came twice",
                "Report it, with the table's definition.",
            )
        return boundary


def _is_odd(value: bytes) -> bool:
    """True where a text came with a NUL, or with a surrogate in UTF-8."""
    # one byte is found a hundred times as fast as two, and two ten times as fast as the pattern
    if b"\0" in value:
        return True
    if b"\\" in value and b"\\0" in value and _QUOTED_NUL.search(value):
        return True
    return b"\xed" in value and _SURROGATE.search(value) is not None


def _without_quote_escapes(value: bytes) -> bytes:
    r"""The value with QUOTE()'s escape undone that COPY does not know: `\Z`."""
    if b"\\" not in value or b"\\Z" not in value:
        return value
    return _QUOTE_ESCAPE.sub(
        lambda match: b"\x1a" if match.group(1) == b"Z" else match.group(0), value
    )


def _escaped(field: Field, value: bytes | None, bare: bytes | None) -> bytes:
    """One field of a CSV line, escaped here: text in quotes, bytes as PostgreSQL's hex."""
    if value is None and bare is None:
        return b"NULL"
    if field.quoted:
        # where the value is wide, the source may not see what is odd about it
        text = storable(bare if value is None else value)
        return b"'" + text.replace(b"\\", b"\\\\").replace(b"'", b"\\'") + b"'"
    return b"\\x" + bare.hex().encode() if value is None else value
