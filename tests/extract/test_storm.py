"""A storm of writers while the extract runs: each mirrored row is one that the source held.

TIDEMARK_STORM_OPERATIONS asks for more of it, TIDEMARK_SEED repeats one as far as threads allow.
"""

import os
import secrets
import time
from collections.abc import Callable

import pymysql
import pytest

from embedded import Servers
from tests.support.mirror import Mirror
from tests.support.servers import OperationalDatabase
from tests.support.storm import (
    OVERLAP_SECONDS,
    WRITERS,
    Changed,
    Checker,
    Storm,
    Writer,
    check_at_rest,
    writing,
)

OPERATIONS = int(os.environ.get("TIDEMARK_STORM_OPERATIONS", "20000"))
EXTRACTS = 20
"""The storm lasts for at least so many, however fast its writers are."""
OPERATIONS_PER_TRANSACTION = 12
ROWS = {"whole": 250, "shared": 1_200}
"""One table of which every row is compared, one of which every key is, and a share of the rows."""

STAMPS = {
    "honest": "now(6)",
    "unstamped": "updated_at",
    "backward": "'2001-01-01'",
    "null": "null",
    "future": "'2037-12-31 23:59:59'",
}


class RandomWriter(Writer):
    """An application that does what it likes, and takes care of no stamp."""

    def __init__(self, storm: Storm, number: int, connection: pymysql.Connection) -> None:
        super().__init__(storm, number, connection)
        self._tokens = iter(f"{number}-{token}" for token in range(10**9))

    def _change(self) -> Changed:
        """Some operations on one table."""
        table = self._chance.choice(list(ROWS))
        keys: set[int] = set()
        for _ in range(self._chance.randint(1, 2 * OPERATIONS_PER_TRANSACTION)):
            keys |= self._operate(table)
        return {table: {(key,) for key in keys}}

    def _operate(self, table: str) -> set[int]:
        """One operation of eleven kinds; the keys it has changed."""
        kind = self._chance.choice(KINDS)
        self._storm.counts[kind] += 1
        key, other = (self._chance.randint(-20, ROWS[table] + 40) for _ in range(2))
        body = next(self._tokens)
        if kind in STAMPS:
            return self._execute(
                f"update {table} set body = %s, updated_at = {STAMPS[kind]} where id = %s",
                (body, key),
                key,
            )
        return getattr(self, f"_{kind}")(table, key, other, body)

    def _insert(self, table: str, key: int, other: int, body: str) -> set[int]:
        sql = f"insert ignore into {table} values (%s, null, %s, now(6))"
        return self._execute(sql, (key, body), key)

    def _upsert(self, table: str, key: int, other: int, body: str) -> set[int]:
        sql = (
            f"insert into {table} values (%s, null, %s, now(6))"
            " on duplicate key update body = values(body)"
        )
        return self._execute(sql, (key, body), key)

    def _delete(self, table: str, key: int, other: int, body: str) -> set[int]:
        return self._execute(f"delete from {table} where id = %s", (key,), key)

    def _reinsert(self, table: str, key: int, other: int, body: str) -> set[int]:
        self._cursor.execute(f"delete from {table} where id = %s", (key,))
        sql = f"insert into {table} values (%s, null, %s, '2001-01-01')"
        return self._execute(sql, (key, body), key)

    def _move(self, table: str, key: int, other: int, body: str) -> set[int]:
        sql = f"update ignore {table} set id = %s, body = %s where id = %s"
        return self._execute(sql, (other, body, key), key, other)

    def _replace(self, table: str, key: int, other: int, body: str) -> set[int]:
        """A REPLACE that may also remove the row of another key, which had the same code.

        A writer gives codes that no other one gives, so that it knows what it removes.
        """
        code = WRITERS * (other % 20) + self._number
        self._cursor.execute(f"select id from {table} where code = %s for update", (code,))
        removed = [row[0] for row in self._cursor.fetchall()]
        sql = f"replace into {table} values (%s, %s, %s, now(6))"
        return self._execute(sql, (key, code, body), key, *removed)

    def _execute(self, sql: str, parameters: tuple, *keys: int) -> set[int]:
        return set(keys) if self._cursor.execute(sql, parameters) else set()


KINDS = [*STAMPS, "insert", "upsert", "delete", "reinsert", "move", "replace"]


@pytest.fixture
def small_ranges(mirror: Mirror) -> None:
    """Makes a table of a few hundred rows large, and lets a storm delete what it likes."""
    mirror.limit(
        range_rows=100,
        ranges_compared_whole=3,
        ranges_per_scan=3,
        ranges_per_batch=2,
        deletes=10**9,
    )


def create(operational: OperationalDatabase, name: str) -> None:
    operational.execute(
        f"create table {name} (id int primary key, code int unique, body varchar(40),"
        " updated_at timestamp(6) null)"
    )
    operational.execute(
        f"insert into {name} select seq, null, seq, '2020-01-01' from seq_1_to_{ROWS[name]}"
    )


@pytest.mark.usefixtures("small_ranges")
def test_each_row_is_one_that_the_source_held_while_it_was_compared(
    servers: Servers, operational: OperationalDatabase, mirror: Mirror, query: Callable
) -> None:
    seed = int(os.environ.get("TIDEMARK_SEED") or secrets.randbits(32))
    print(f"seed {seed}")
    for name in ROWS:
        create(operational, name)
    tables = [mirror.table(name, overlap_seconds=OVERLAP_SECONDS) for name in ROWS]
    storm = Storm(seed, {table.name: table for table in tables})
    storm.begin(operational.connection)
    checkers = [Checker(table, storm.histories[table.name], query) for table in tables]
    extracts = 0
    began = time.monotonic()
    with writing(storm, servers, operational.name, RandomWriter):
        while (storm.operations < OPERATIONS or extracts < EXTRACTS) and not storm.over.is_set():
            started = time.time()
            for checker, outcome in zip(checkers, mirror.extract(*tables), strict=True):
                checker.check(started, outcome)
            extracts += 1
    print(
        f"{storm.operations} operations, {extracts} extracts, {time.monotonic() - began:.0f} s,"
        f" {sum(checker.checks for checker in checkers)} rows checked: {dict(storm.counts)}"
    )
    check_at_rest(mirror, query, operational.connection, storm)
