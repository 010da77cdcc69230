"""The first load of a table with a key: in ranges of the key, with a checkpoint after each.

Three ranges are on their way at once, each by connections of its own: while ClickHouse sorts and
writes one, PostgreSQL reads others. All connections read the same snapshot.
"""

import json
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from common.pause import pause_point
from common.rows import one_value
from publishing.client import Client
from publishing.columns import Column, Relation
from publishing.sending import outs, send
from publishing.storage import Storage

RANGE_ROWS = 1_000_000
"""The rows of a range: a block that ClickHouse writes at once, so that parts are few."""
AT_ONCE = 3

Key = dict[str, Any]
Checkpoint = Callable[[Key, int], None]
Lane = tuple[Cursor, Client]
"""The connections by which one range is sent."""


@dataclass(frozen=True)
class Opening:
    """How more connections are opened to the warehouse and to ClickHouse."""

    reader: Callable[[], Connection]
    client: Callable[[], Client]


def load_ranges(
    cursor: Cursor,
    opening: Opening,
    storage: Storage,
    loaded_to: Key | None,
    checkpoint: Checkpoint,
) -> int:
    """Send all rows with a key above `loaded_to`, range by range; returns how many.

    `checkpoint` is called with the last key of each range that is stored, in their order, and with
    its rows. A range that was stored, but not noted, is sent again: its rows replace themselves.
    """
    cursor.execute("select pg_export_snapshot()")
    snapshot, total = str(one_value(cursor)), 0
    with _lanes(opening, snapshot) as lanes, ThreadPoolExecutor(AT_ONCE) as pool:
        under_way: deque[tuple[Key | None, Future[int]]] = deque()
        last, is_found = loaded_to, False
        try:
            while under_way or not is_found:
                while not is_found and len(under_way) < AT_ONCE:
                    after, last = last, _last_key(cursor, storage.relation, last, RANGE_ROWS)
                    under_way.append((last, pool.submit(_send, lanes, storage, after, last)))
                    is_found = last is None
                key, range_sent = under_way.popleft()
                rows = range_sent.result()
                total += rows
                if key is not None:
                    checkpoint(key, rows)
        finally:
            for _, range_sent in under_way:
                range_sent.cancel()
    return total


def _send(lanes: "SimpleQueue[Lane]", storage: Storage, after: Key | None, last: Key | None) -> int:
    cursor, client = lane = lanes.get()
    try:
        relation = storage.relation
        where = _between(relation.key, after, last)
        query = f"select {outs(relation.columns, 'known')} from {relation.source} as known"
        rows = send(cursor, client, relation, query + where, storage.rows, storage.columns)
        pause_point("range published")
        return rows
    finally:
        lanes.put(lane)


@contextmanager
def _lanes(opening: Opening, snapshot: str) -> Iterator["SimpleQueue[Lane]"]:
    """Connections that are free, which all read one snapshot."""
    lanes: SimpleQueue[Lane] = SimpleQueue()
    with ExitStack() as stack:
        for _ in range(AT_ONCE):
            reader = stack.enter_context(closing(opening.reader()))
            cursor = reader.cursor()
            cursor.execute("begin isolation level repeatable read read only")
            cursor.execute(f"set transaction snapshot '{snapshot}'")
            # each range by the index of the key, and its rows in the order of the table's pages
            cursor.execute("set local enable_seqscan = off; set local enable_indexscan = off")
            lanes.put((cursor, stack.enter_context(opening.client())))
        yield lanes


def _last_key(cursor: Cursor, relation: Relation, after: Key | None, rows: int) -> Key | None:
    """The key of the last row of the next range; None if fewer rows are left."""
    keys = ", ".join(column.source for column in relation.key)
    pairs = ", ".join(f"{_literal(column.name)}, {column.source}" for column in relation.key)
    # the object is made of one row, not of each that is passed over
    cursor.execute(
        f"select jsonb_build_object({pairs}) from (select {keys} from {relation.source}"
        f"{_between(relation.key, after, None)} order by {keys} limit 1 offset {rows - 1}) as known"
    )
    found = cursor.fetchone()
    return found[0] if found else None


def _between(key: tuple[Column, ...], after: Key | None, last: Key | None) -> str:
    names = ", ".join(column.source for column in key)
    conditions = []
    if after is not None:
        conditions.append(f"({names}) > {_row(key, after)}")
    if last is not None:
        conditions.append(f"({names}) <= {_row(key, last)}")
    return f" where {' and '.join(conditions)}" if conditions else ""


def _row(key: tuple[Column, ...], values: Key) -> str:
    """A key as a row of SQL, by way of the JSON that it was noted as."""
    noted = f"{_literal(json.dumps(values))}::jsonb"
    parts = (f"({noted} ->> {_literal(column.name)})::{column.key_type}" for column in key)
    return f"({', '.join(parts)})"


def _literal(text: str) -> str:
    # a text with backslashes is a literal as it is, since standard_conforming_strings is on
    return "'" + text.replace("'", "''") + "'"
