"""Judges a mirror by SELECTs of its own: rows of both sides, the change log, committed versions."""

from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Any

import pymysql

from extract.mirror.table import Applied

Key = tuple[Any, ...]
Row = dict[str, Any]
"""A row's values by column; a column that is NULL and one that is not there are the same."""
Rows = dict[Key, Row]
Query = Callable[..., list[tuple]]


def source_rows(connection: pymysql.Connection, table: str, key: tuple[str, ...]) -> Rows:
    """What the source has committed, by key."""
    with connection.cursor() as cursor:
        cursor.execute(f"select * from `{table}`")
        return rows_by_key(cursor, key)


def rows_by_key(cursor: pymysql.cursors.Cursor, key: tuple[str, ...]) -> Rows:
    """What the source has returned, by key."""
    names = [column[0] for column in cursor.description]
    return _by_key(names, cursor.fetchall(), key)


def mirror_rows(query: Query, table: str, key: tuple[str, ...]) -> Rows:
    """What the mirror holds, by key; nothing where there is no such table yet."""
    names = [
        name
        for (name,) in query(
            "select attname from pg_attribute where attrelid = to_regclass(%s)"
            " and attnum > 0 and not attisdropped order by attnum",
            (f'mrr."{table}"',),
        )
    ]
    return _by_key(names, query(f'select * from mrr."{table}"') if names else [], key)


def _by_key(names: list[str], rows: Iterable[tuple], key: tuple[str, ...]) -> Rows:
    found: Rows = {}
    for row in rows:
        values = {name: _plain(value) for name, value in zip(names, row, strict=True)}
        row_key = tuple(values[name] for name in key)
        assert row_key not in found, f"two rows have the key {row_key}"
        found[row_key] = {name: value for name, value in values.items() if value is not None}
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, memoryview):
        return bytes(value)
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    return value


def differences(found: Rows, expected: Rows) -> dict[Key, tuple[Row | None, Row | None]]:
    """The keys whose rows are not the same, with both rows."""
    return {
        key: (found.get(key), expected.get(key))
        for key in found.keys() | expected.keys()
        if found.get(key) != expected.get(key)
    }


class ChangeLog:
    """Replays `mrr_state.change_log` of one table, entry by entry, over what the mirror was."""

    def __init__(self, query: Query, table: str, key: tuple[str, ...]) -> None:
        self._query = query
        self._table = table
        self._key = key
        self._read_to = 0
        self._keys: set[Key] = set()

    def replay(self, before: Rows, after: Rows) -> Applied | None:
        """Check that the new entries lead from one state of the mirror to the other; count them.

        None where one of them says that the whole table is to be read.
        """
        if not self._query("select to_regclass(%s)", (f'mrr."{self._table}"',))[0][0]:
            return Applied()
        columns = ", ".join(f'(of_row)."{name}"' for name in self._key)
        entries = self._query(
            f"select change_id, operation, {columns} from ("
            f' select *, jsonb_populate_record(null::mrr."{self._table}", row_key) as of_row'
            " from mrr_state.change_log where table_name = %s and change_id > %s"
            ") as entries order by change_id",
            (self._table, self._read_to),
        )
        counts = dict.fromkeys(("insert", "update", "delete"), 0)
        touched = set()
        is_loaded = False
        for change_id, operation, *values in entries:
            self._read_to = change_id
            is_loaded |= operation == "load"
            if is_loaded:
                continue
            key = tuple(map(_plain, values))
            assert (key in self._keys) == (operation != "insert"), (operation, key)
            (self._keys.discard if operation == "delete" else self._keys.add)(key)
            counts[operation] += 1
            touched.add(key)
        if is_loaded:
            self._keys = set(after)
            return None
        assert self._keys == after.keys()
        unlogged = differences(after, before).keys() - touched
        assert not unlogged, f"changed and not logged: {sorted(unlogged)[:20]}"
        return Applied(counts["insert"], counts["update"], counts["delete"])


@dataclass
class Version:
    """What a transaction made of one key; None for no row. Times are the clock's, in seconds.

    It became visible at some moment from `began`, when COMMIT was sent, to `ended`, its answer.
    """

    row: Row | None
    began: float
    ended: float = float("inf")


@dataclass
class History:
    """Every version that was ever committed of each key of a table, in the order of the commits.

    Row locks put the transactions of one key in order, so that of their COMMITs is theirs too.
    """

    versions: dict[Key, list[Version]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def add(self, key: Key, version: Version) -> None:
        """Keep a version that is about to be committed."""
        with self._lock:
            self.versions.setdefault(key, [Version(None, float("-inf"))]).append(version)

    def keys(self) -> set[Key]:
        with self._lock:
            return set(self.versions)

    def visible(self, key: Key, start: float, end: float) -> range:
        """Positions of the versions that a reader may have seen from `start` to `end`."""
        versions = self._of(key)
        last = bisect_right(versions, end, key=lambda version: version.began)
        first = last - 1
        while first > 0 and versions[first].ended >= start:
            first -= 1
        return range(first, last)

    def row(self, key: Key, position: int) -> Row | None:
        return self._of(key)[position].row

    def position(self, key: Key, row: Row | None) -> int:
        """Where a row stands among the versions of its key, the last place; -1 for nowhere."""
        versions = self._of(key)
        positions = range(len(versions) - 1, -1, -1)
        return next((at for at in positions if versions[at].row == row), -1)

    def _of(self, key: Key) -> list[Version]:
        with self._lock:
            return list(self.versions.get(key, [Version(None, float("-inf"))]))
