"""The first load of a table with a key: in ranges of the key, with a checkpoint after each."""

import json
from collections.abc import Callable
from typing import Any

from psycopg2.extensions import cursor as Cursor

from common.pause import pause_point
from publishing.client import Client
from publishing.columns import Column, Relation
from publishing.sending import outs, send
from publishing.storage import Storage

RANGE_ROWS = 1_000_000
"""The rows of a range: a block that ClickHouse writes at once, so that parts are few."""

Key = dict[str, Any]
Checkpoint = Callable[[Key, int], None]


def load_ranges(
    cursor: Cursor,
    client: Client,
    storage: Storage,
    loaded_to: Key | None,
    checkpoint: Checkpoint,
) -> int:
    """Send all rows with a key above `loaded_to`, range by range; returns how many.

    `checkpoint` is called with the last key of each range that is stored and its rows. A range that
    was stored, but not noted, is sent again: its rows replace themselves.
    """
    relation, total = storage.relation, 0
    while True:
        last = _last_key(cursor, relation, loaded_to, RANGE_ROWS)
        where = _between(relation.key, loaded_to, last)
        query = f"select {outs(relation.columns, 'known')} from {relation.source} as known"
        rows = send(cursor, client, relation, query + where, storage.rows, storage.columns)
        total += rows
        pause_point("range published")
        if last is None:
            return total
        loaded_to = last
        checkpoint(last, rows)


def _last_key(cursor: Cursor, relation: Relation, after: Key | None, rows: int) -> Key | None:
    """The key of the last row of the next range; None if fewer rows are left."""
    keys = ", ".join(column.source for column in relation.key)
    pairs = ", ".join(f"{_literal(column.name)}, {column.source}" for column in relation.key)
    cursor.execute(
        f"select jsonb_build_object({pairs}) from {relation.source}"
        f"{_between(relation.key, after, None)} order by {keys} limit 1 offset {rows - 1}"
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
