"""The ranges of a large table, in `mrr_state.key_range`, and when each was last compared."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from psycopg2.extras import execute_values

from common.rows import one_row, one_value
from extract.mirror.literals import driver_key, key_value, mirror_condition, mirror_row
from extract.mirror.table import MirrorTable
from extract.ranges import WHOLE, Key, KeyRange, key_from_texts, key_texts

GROWN = 2
"""A range that has grown to this many times its size is divided again."""
ENDS_PER_STATEMENT = 500

# a name of the source never ends with a space, so this differs from every key column
ROW = '"row "'


@dataclass(frozen=True)
class StoredRange:
    """A range, its row of `mrr_state.key_range`, and when it was last compared; None if never."""

    range_id: int
    keys: KeyRange
    compared_at: datetime | None


class StoredRanges:
    """The ranges of one table, in the order of the key."""

    def __init__(self, mirror: MirrorTable) -> None:
        self._cursor = mirror.cursor
        self._mirror = mirror
        self._key = mirror.table.key_columns
        widest = max(mirror.table.row_bytes * 2, 1)
        limits = mirror.limits
        self._rows = max(100, min(limits.range_rows, limits.range_bytes // widest))
        self._per_scan = limits.ranges_per_scan

    def read(self) -> list[StoredRange]:
        """The stored ranges; for a table that has none, a single range with open ends."""
        self._cursor.execute(
            "select range_id, above, up_to, compared_at from mrr_state.key_range"
            " where table_name = %s",
            (self._mirror.name,),
        )
        ranges = [
            StoredRange(number, KeyRange(self._key_of(above), self._key_of(up_to)), at)
            for number, above, up_to, at in self._cursor.fetchall()
        ]
        return _in_order(ranges) or [StoredRange(0, WHOLE, None)]

    def are_in_order(self, ends: Sequence[Key]) -> bool:
        """True if the mirror orders the ends of ranges as they follow one another."""
        rows = [mirror_row(self._key, end) for end in ends]
        for start in range(0, len(rows), ENDS_PER_STATEMENT):
            some = rows[start : start + ENDS_PER_STATEMENT + 1]
            compared = [f"{earlier} < {later}" for earlier, later in pairwise(some)]
            self._cursor.execute(f"select {' and '.join(compared) or 'true'}")
            if not one_value(self._cursor):
                return False
        return True

    def cut(self, ranges: list[StoredRange]) -> None:
        """Divide those of the ranges that have grown, or the whole table if it has none yet."""
        for stored in ranges:
            rows = self._count(stored.keys)
            if rows >= GROWN * self._rows:
                self._replace(stored, rows)

    def has_grown(self, ranges: list[StoredRange], rows: int) -> bool:
        """True if neighbouring ranges have so many rows together that one should be divided."""
        return rows >= (len(ranges) + 1) * self._rows

    def scans(self, ranges: list[StoredRange]) -> Iterator[tuple[list[StoredRange], KeyRange]]:
        """Neighbouring ranges, some at a time, and the range that they form together."""
        for start in range(0, len(ranges), self._per_scan):
            group = ranges[start : start + self._per_scan]
            yield group, KeyRange(group[0].keys.above, group[-1].keys.up_to)

    def mark_compared(self, ranges: list[StoredRange], at: datetime) -> None:
        """Record when the ranges were found equal or made equal."""
        self._cursor.execute(
            "update mrr_state.key_range set compared_at = %s where range_id = any(%s)",
            (at, [stored.range_id for stored in ranges]),
        )

    def _count(self, keys: KeyRange) -> int:
        self._cursor.execute(
            f"select count(*) from {self._mirror.qualified}"
            f" where {mirror_condition(self._key, keys)}"
        )
        (rows,) = one_row(self._cursor)
        return int(rows)

    def _replace(self, stored: StoredRange, rows: int) -> None:
        ends = self._ends_within(stored.keys, rows)
        lowers = [stored.keys.above, *ends]
        uppers = [*ends, stored.keys.up_to]
        self._cursor.execute(
            "delete from mrr_state.key_range where range_id = %s", (stored.range_id,)
        )
        execute_values(
            self._cursor,
            "insert into mrr_state.key_range (table_name, above, up_to, compared_at) values %s",
            [
                (self._mirror.name, key_texts(above), key_texts(up_to), stored.compared_at)
                for above, up_to in zip(lowers, uppers, strict=True)
            ],
        )

    def _ends_within(self, keys: KeyRange, rows: int) -> list[Key]:
        """The last key of each part of a range, without a short remainder at its end."""
        names = ", ".join(column.quoted for column in self._key)
        values = ", ".join(key_value(column) for column in self._key)
        self._cursor.execute(
            f"select {values} from (select {names}, row_number() over (order by {names}) as {ROW}"
            f" from {self._mirror.qualified} where {mirror_condition(self._key, keys)}) as numbered"
            f" where {ROW} % {self._rows} = 0 and {ROW} <= {rows - self._rows} order by {ROW}"
        )
        return [driver_key(row) for row in self._cursor.fetchall()]

    def _key_of(self, texts: list[str] | None) -> Key | None:
        return key_from_texts(texts, self._key)


def _in_order(ranges: list[StoredRange]) -> list[StoredRange]:
    """The ranges as they follow one another: each begins where the one before it ends."""
    by_start = {stored.keys.above: stored for stored in ranges}
    following = [by_start.pop(None)] if ranges else []
    while (end := following[-1].keys.up_to if following else None) is not None:
        following.append(by_start.pop(end))
    return following
