"""Divides a table of the source into key ranges of about the same number of rows."""

from collections.abc import Iterator

from common.errors import TableError
from extract.column import VALUE
from extract.mysql.literals import source_condition
from extract.mysql.session import Session
from extract.ranges import Key, KeyRange
from extract.table import TableDescription

STEP_ROWS = 4
"""A range may be cut without counting if it has at most this many times the wanted rows."""


class Chunker:
    """The ranges of one table, in the order of its key."""

    def __init__(self, session: Session, table: TableDescription) -> None:
        self._session = session
        self._table = table
        self._key = table.key_columns
        self._key_values = ", ".join(column.source.key_value for column in self._key)
        self._key_order = ", ".join(column.source.key_order for column in self._key)
        odd = [
            f"case when {' or '.join(kinds).replace(VALUE, column.source.name)}"
            f" then hex(cast({column.source.name} as binary)) end"
            for column in self._key
            if (kinds := list(filter(None, (column.source.no_unicode, column.source.has_nul))))
        ]
        self._odd_key = f"nullif(concat_ws(' ', {', '.join(odd)}), '')" if odd else "null"
        self._counted = 0

    def feedback(self, rows: int) -> None:
        """Report how many rows the last range had."""
        self._counted = rows

    def keys(self, where: str, tail: str = "") -> list[Key]:
        """The keys of rows as the driver passes them back. Raises TableError if it cannot."""
        source = self._table.qualified
        try:
            found = self._session.rows(
                f"select {self._key_values}, {self._odd_key} from {source} where {where}{tail}"
            )
        except UnicodeDecodeError as error:
            raise self._no_key(error.object.hex().upper()) from None
        for *_, octets in found:
            if octets is not None:
                raise self._no_key(octets)
        return [tuple(key) for *key, _ in found]

    def split(self, key_range: KeyRange, rows: int) -> Iterator[KeyRange]:
        """The range divided into ranges of that many rows; the last one ends with the range."""
        above = key_range.above
        while True:
            boundary = self._boundary(KeyRange(above, key_range.up_to), rows)
            if boundary is None or boundary == key_range.up_to:
                yield KeyRange(above, key_range.up_to)
                return
            yield KeyRange(above, boundary)
            above = boundary

    def steps(self, rest: KeyRange, rows: int) -> Iterator[KeyRange]:
        """The rest of a table divided into ranges of about so many rows, by the numbers of its key.

        If the numbers are dense, the server is not queried, since n consecutive numbers are at most
        n rows. If they are not dense, and at the end, the server counts the rows.
        """
        name, source = self._key[0].source.name, self._table.qualified
        (highest,) = self._session.only_row(f"select max({name}) from {source}")
        above, width = rest.above, 0
        while highest is not None:
            up_to = (above[0] + width,) if above and width else None
            up_to = up_to or self._boundary(KeyRange(above), rows)
            if up_to is None or up_to[0] >= highest:
                break
            yield KeyRange(above, up_to)
            # its rows were counted when it was read
            span = up_to[0] - above[0] if above else 0
            width = span * rows // self._counted if self._counted else 0
            if width > STEP_ROWS * rows:
                width = 0
            above = up_to
        yield from self.split(KeyRange(above), rows)

    def _boundary(self, key_range: KeyRange, rows: int) -> Key | None:
        """The last key of the first `rows` rows of a range; None if it has fewer."""
        within = source_condition(self._key, key_range)
        found = self.keys(within, f" order by {self._key_order} limit 1 offset {rows - 1}")
        boundary = found[0] if found else None
        if boundary is not None and boundary == key_range.above:
            raise TableError(
                self._table.name,
                "its key cannot be read in order: a boundary was returned twice",
                "Report it, with the table's definition.",
            )
        return boundary

    def _no_key(self, octets: str) -> TableError:
        return TableError(
            self._table.name,
            f"a key has a value that PostgreSQL cannot represent: x'{octets}'",
            "Correct the row at the source, or set `key` to another unique key.",
        )
