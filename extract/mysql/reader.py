"""Rows of the source as CSV that PostgreSQL's COPY parses, written by the source server itself.

The server joins thousands of rows into one value, so Python touches one value per chunk. Where it
raises a warning over it, it is asked once more for what tells whether the value is whole; one that
is not is read in smaller ranges, and at last row by row, escaped here. Whoever copies a chunk holds
its rows against the count that the server made in the same statement (`landing/copying.py`).

The CSV has no header, quotes with ', escapes with a backslash and writes NULL as an unquoted NULL.
"""

from collections.abc import Iterator

from common.errors import TableError
from common.log import get_logger
from extract.column import VALUE
from extract.mysql.aggregates import Aggregates, Refused
from extract.mysql.chunker import Chunker
from extract.mysql.fields import Field, escaped, is_odd, without_quote_escapes
from extract.mysql.literals import source_condition, source_equality
from extract.mysql.session import Session
from extract.ranges import KeyRange
from extract.source import Chunk
from extract.table import TableDescription

log = get_logger(__name__)


class Reader:
    """Reads rows of one table.

    `is_plain` is true as long as no value of its rows was seen that needs to be noted: what costs
    less is asked of the server until then.
    """

    def __init__(
        self,
        session: Session,
        table: TableDescription,
        aggregates: Aggregates,
        chunker: Chunker,
        smallest_range: int,
    ) -> None:
        self.is_plain = True
        self._session = session
        self._table = table
        self._key = table.key_columns
        self._aggregates = aggregates
        self._chunker = chunker
        self._smallest_range = smallest_range

    def read(
        self, fields: list[Field], condition: str, key_range: KeyRange, rows: int
    ) -> Iterator[Chunk]:
        """The rows of a range that meet a condition; of about so many `rows` at most."""
        where = f"{condition} and {source_condition(self._key, key_range)}"
        try:
            chunk = self._joined(fields, where)
        except Refused as refusal:
            log.info("%s: %s, read in smaller ranges", self._table.name, refusal)
        else:
            if chunk.rows:
                yield chunk
            return
        if rows <= self._smallest_range and self._key:
            yield from self._row_by_row(fields, where)
            return
        if not self._key:
            # nothing smaller than the table itself can be named
            yield from self._whole_rows(fields, where)
            return
        smaller = max(rows // 10, self._smallest_range)
        for part in self._chunker.split(key_range, smaller):
            yield from self.read(fields, condition, part, smaller)

    def _joined(self, fields: list[Field], where: str) -> Chunk:
        line = "concat(" + ", ',', ".join(field.line(self.is_plain) for field in fields) + ")"
        noted = self._noted()
        value, suspects, rows = self._aggregates.of(
            [
                f"cast(group_concat({line} separator '\n') as binary)",
                f"bit_or({noted})" if noted else "false",
            ],
            line,
            where,
        )
        value = value or b""
        if self.is_plain and (suspects or is_odd(value)):
            # where there is one such value there are more: from here on the careful way
            self.is_plain = False
            return self._joined(fields, where)
        if not self.is_plain and is_odd(value):
            raise Refused("a text too wide for the source to see what is odd about it")
        return Chunk(without_quote_escapes(value), rows, where, bool(suspects))

    def _noted(self) -> str:
        """The predicate of a row with a value that needs to be noted.

        It leaves out what is seen in the bytes that come of the plain way.
        """
        noted = []
        for column in self._table.columns:
            source = column.source
            noted += [source.not_held, source.odd_blank]
            if not (self.is_plain and source.arrives_as_utf8):
                noted.append(source.no_unicode and source.no_unicode.replace(VALUE, source.name))
            if not self.is_plain:
                noted.append(source.has_nul and source.has_nul.replace(VALUE, source.name))
        return " or ".join(filter(None, noted))

    def _row_by_row(self, fields: list[Field], where: str) -> Iterator[Chunk]:
        """A statement for each row, so that neither side holds more than one of them."""
        for key in self._chunker.keys(where):
            chunks = list(
                self._whole_rows(fields, f"{source_equality(self._key, key)} and ({where})")
            )
            if not chunks and key in self._chunker.keys(where):
                raise TableError(
                    self._table.name,
                    f"the source lists a row with the key {key}, and finds none by it",
                    "Correct the key at the source, or set `key` to another unique key.",
                )
            yield from chunks

    def _whole_rows(self, fields: list[Field], where: str) -> Iterator[Chunk]:
        """Rows as they come; a value that is too wide for a function, as it is without."""
        values = ", ".join(f"concat({field.expression}), {field.bare}" for field in fields)
        sql = f"select {values} from {self._table.qualified} where {where}"
        for row in self._session.rows_of_octets(sql):
            pairs = zip(fields, row[::2], row[1::2], strict=True)
            data = b",".join(escaped(*pair) for pair in pairs)
            yield Chunk(data, 1, where, suspect=True)
