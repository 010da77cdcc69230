"""Rows of the source as CSV for PostgreSQL's COPY, written by the source server itself.

The server joins thousands of rows into one value, so that Python handles one value per chunk. If
the server raises a warning, a second query checks that the value is complete. If it was cut off,
the rows are read again in smaller ranges, in the end row by row and escaped here. The number of
rows that a COPY stores must equal the number that the server counted in the same statement
(`mirror/copying.py`).

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

    `is_fast` is true until an anomaly is seen; as long as it is true, the fast path is used.
    """

    def __init__(
        self,
        session: Session,
        table: TableDescription,
        aggregates: Aggregates,
        chunker: Chunker,
        smallest_range: int,
    ) -> None:
        self.is_fast = True
        self._session = session
        self._table = table
        self._key = table.key_columns
        self._aggregates = aggregates
        self._chunker = chunker
        self._smallest_range = smallest_range

    def read(
        self,
        fields: list[Field],
        condition: str,
        key_range: KeyRange,
        rows: int,
        relies_on_copy: bool = False,
    ) -> Iterator[Chunk]:
        """The rows of a range that meet a condition, at most about `rows` rows.

        If it `relies_on_copy`, a value that PostgreSQL refuses is not looked for on the fast path.
        """
        where = f"{condition} and {source_condition(self._key, key_range)}"
        try:
            chunk = self._joined(fields, where, relies_on_copy)
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
            # without a key the table cannot be divided
            yield from self._whole_rows(fields, where)
            return
        smaller = max(rows // 10, self._smallest_range)
        for part in self._chunker.split(key_range, smaller):
            yield from self.read(fields, condition, part, smaller, relies_on_copy)

    def _joined(self, fields: list[Field], where: str, relies_on_copy: bool) -> Chunk:
        line = "concat(" + ", ',', ".join(field.line(self.is_fast) for field in fields) + ")"
        anomalous = self._anomalous(relies_on_copy)
        value, flagged, rows = self._aggregates.of(
            [
                f"cast(group_concat({line} separator '\n') as binary)",
                f"bit_or({anomalous})" if anomalous else "false",
            ],
            line,
            where,
        )
        value = value or b""
        if self.is_fast and (flagged or is_odd(value)):
            # one anomaly is a sign of more: from here on the exact path is used
            self.is_fast = False
            return self._joined(fields, where, relies_on_copy)
        if not self.is_fast and is_odd(value):
            raise Refused("a text that is too wide for the source to detect an anomaly in it")
        return Chunk(without_quote_escapes(value), rows, where, bool(flagged))

    def _anomalous(self, relies_on_copy: bool) -> str:
        """The predicate of a row that may have an anomaly.

        It leaves out what the bytes that the fast path returns show by themselves, and dates that
        do not exist if COPY may refuse them.
        """
        kinds = []
        for column in self._table.columns:
            source = column.source
            kinds.append(source.odd_blank)
            if not (self.is_fast and relies_on_copy):
                kinds.append(source.unrepresentable)
            if not (self.is_fast and source.arrives_as_utf8):
                kinds.append(source.no_unicode and source.no_unicode.replace(VALUE, source.name))
            if not self.is_fast:
                kinds.append(source.has_nul and source.has_nul.replace(VALUE, source.name))
        return " or ".join(filter(None, kinds))

    def _row_by_row(self, fields: list[Field], where: str) -> Iterator[Chunk]:
        """One statement for each row, so that neither side has more than one row in memory."""
        for key in self._chunker.keys(where):
            chunks = list(
                self._whole_rows(fields, f"{source_equality(self._key, key)} and ({where})")
            )
            if not chunks and key in self._chunker.keys(where):
                raise TableError(
                    self._table.name,
                    f"the source lists a row with the key {key}, but finds no row by that key",
                    "Correct the key at the source, or set `key` to another unique key.",
                )
            yield from chunks

    def _whole_rows(self, fields: list[Field], where: str) -> Iterator[Chunk]:
        """Rows that are not joined; a value that is too wide for a function is read without one."""
        values = ", ".join(f"concat({field.expression}), {field.bare}" for field in fields)
        sql = f"select {values} from {self._table.qualified} where {where}"
        for row in self._session.rows_of_octets(sql):
            pairs = zip(fields, row[::2], row[1::2], strict=True)
            data = b",".join(escaped(*pair) for pair in pairs)
            yield Chunk(data, 1, where, is_flagged=True)
