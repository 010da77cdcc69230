"""A storm of writers while the extract runs: each mirrored row is one that the source held.

TIDEMARK_STORM_OPERATIONS asks for more of it, TIDEMARK_SEED repeats one as far as threads allow.
"""

import os
import random
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pymysql
import pytest
from pymysql.constants import ER

from embedded import Servers
from extract.compare import reconcile
from extract.extraction import TableOutcome
from extract.mirror.verification import Verification
from operational.connection import connection as operational_connection
from tests.support.life_checker import (
    ChangeLog,
    History,
    Key,
    Rows,
    Version,
    differences,
    mirror_rows,
    source_rows,
)
from tests.support.mirror import Mirror
from tests.support.servers import OperationalDatabase

OPERATIONS = int(os.environ.get("TIDEMARK_STORM_OPERATIONS", "20000"))
EXTRACTS = 20
"""The storm lasts for at least so many, however fast its writers are."""
WRITERS = 3
OPERATIONS_PER_TRANSACTION = 12
OVERLAP_SECONDS = 2
"""Some of the long transactions commit later than that."""
LONG_AGO = datetime(2020, 1, 1)
KEY = ("id",)
ROWS = {"whole": 250, "shared": 1_200}
"""One table of which every row is compared, one of which every key is, and a share of the rows."""
GIVE_UP_CODES = {ER.LOCK_DEADLOCK, ER.LOCK_WAIT_TIMEOUT, ER.DUP_ENTRY}

STAMPS = {
    "honest": "now(6)",
    "unstamped": "updated_at",
    "backward": "'2001-01-01'",
    "null": "null",
    "future": "'2037-12-31 23:59:59'",
}


@dataclass
class Storm:
    """What the writers share: the histories they write, their counts, and when to end."""

    seed: int
    histories: dict[str, History]
    counts: Counter[str] = field(default_factory=Counter)
    over: threading.Event = field(default_factory=threading.Event)
    errors: list[BaseException] = field(default_factory=list)

    @property
    def operations(self) -> int:
        return self.counts.total()


class Writer:
    """An application's connection that changes the tables at random, and says what it committed."""

    def __init__(self, storm: Storm, number: int, connection: pymysql.Connection) -> None:
        self._storm = storm
        self._number = number
        self._chance = random.Random(storm.seed + number)
        self._connection = connection
        self._cursor = connection.cursor()
        self._tokens = iter(f"{number}-{token}" for token in range(10**9))
        self._cursor.execute("set session transaction isolation level read committed")
        # one of them waits for locks, so that its stamps are older than its commits
        self._cursor.execute(f"set innodb_lock_wait_timeout = {int(number == 0)}")

    def run(self) -> None:
        try:
            while not self._storm.over.is_set():
                self._transact()
        except BaseException as error:
            self._storm.errors.append(error)
            self._storm.over.set()

    def _transact(self) -> None:
        """A transaction of some operations on one table, now and then a long or a vain one."""
        table = self._chance.choice(list(ROWS))
        touched: set[int] = set()
        try:
            for _ in range(self._chance.randint(1, 2 * OPERATIONS_PER_TRANSACTION)):
                touched |= self._operate(table)
        except pymysql.err.Error as error:
            if error.args[0] not in GIVE_UP_CODES:
                raise
            self._connection.rollback()
            return
        if self._chance.random() < 0.01:
            self._storm.over.wait(self._chance.uniform(0.5, 2.5))
        if self._chance.random() < 0.1:
            self._connection.rollback()
        else:
            self._commit(table, touched)

    def _commit(self, table: str, touched: set[int]) -> None:
        versions = self._versions(table, touched)
        for key, version in versions.items():
            self._storm.histories[table].add(key, version)
        self._connection.commit()
        ended = time.time()
        for version in versions.values():
            version.ended = ended

    def _versions(self, table: str, touched: set[int]) -> dict[Key, Version]:
        """The rows that this transaction holds locked, as its COMMIT will show them."""
        if not touched:
            return {}
        self._cursor.execute(f"select * from {table} where id in %s", (touched,))
        names = [column[0] for column in self._cursor.description]
        rows = {
            row[0]: {
                name: value for name, value in zip(names, row, strict=True) if value is not None
            }
            for row in self._cursor.fetchall()
        }
        began = time.time()
        return {(key,): Version(rows.get(key), began) for key in touched}

    def _operate(self, table: str) -> set[int]:
        """One operation of eleven kinds; the keys it has changed."""
        kind = self._chance.choice(KINDS)
        self._storm.counts[kind] += 1
        key, other = (self._chance.randint(-20, ROWS[table] + 40) for _ in range(2))
        body = next(self._tokens)
        if kind in STAMPS:
            return self._change(
                f"update {table} set body = %s, updated_at = {STAMPS[kind]} where id = %s",
                (body, key),
                key,
            )
        return getattr(self, f"_{kind}")(table, key, other, body)

    def _insert(self, table: str, key: int, other: int, body: str) -> set[int]:
        sql = f"insert ignore into {table} values (%s, null, %s, now(6))"
        return self._change(sql, (key, body), key)

    def _upsert(self, table: str, key: int, other: int, body: str) -> set[int]:
        sql = (
            f"insert into {table} values (%s, null, %s, now(6))"
            " on duplicate key update body = values(body)"
        )
        return self._change(sql, (key, body), key)

    def _delete(self, table: str, key: int, other: int, body: str) -> set[int]:
        return self._change(f"delete from {table} where id = %s", (key,), key)

    def _reinsert(self, table: str, key: int, other: int, body: str) -> set[int]:
        self._cursor.execute(f"delete from {table} where id = %s", (key,))
        sql = f"insert into {table} values (%s, null, %s, '2001-01-01')"
        return self._change(sql, (key, body), key)

    def _move(self, table: str, key: int, other: int, body: str) -> set[int]:
        sql = f"update ignore {table} set id = %s, body = %s where id = %s"
        return self._change(sql, (other, body, key), key, other)

    def _replace(self, table: str, key: int, other: int, body: str) -> set[int]:
        """A REPLACE that may also remove the row of another key, which had the same code.

        A writer gives codes that no other one gives, so that it knows what it removes.
        """
        code = WRITERS * (other % 20) + self._number
        self._cursor.execute(f"select id from {table} where code = %s for update", (code,))
        removed = [row[0] for row in self._cursor.fetchall()]
        sql = f"replace into {table} values (%s, %s, %s, now(6))"
        return self._change(sql, (key, code, body), key, *removed)

    def _change(self, sql: str, parameters: tuple, *keys: int) -> set[int]:
        return set(keys) if self._cursor.execute(sql, parameters) else set()


KINDS = [*STAMPS, "insert", "upsert", "delete", "reinsert", "move", "replace"]


@dataclass
class Checker:
    """Holds what each extract left in a table's mirror against the history of the table."""

    name: str
    history: History
    change_log: ChangeLog
    read: Callable[[], Rows]
    mirrored: Rows = field(default_factory=dict)
    known: dict[Key, int] = field(default_factory=dict)
    earlier: datetime = LONG_AGO
    checks: int = 0

    def check(self, started: float, outcome: TableOutcome) -> None:
        """Raise AssertionError for a row that the source did not hold when it was compared."""
        assert outcome.error is None, outcome.error
        verification = outcome.verification
        mirrored = self.read()
        logged = self.change_log.replay(self.mirrored, mirrored)
        assert logged in (None, verification.applied)
        self.mirrored = mirrored
        keys = self.history.keys()
        assert mirrored.keys() <= keys
        judged = self._whole if verification.method == reconcile.EVERY_ROW else self._shared
        wrong = [
            (key, mirrored.get(key))
            for key in keys
            if not judged(key, mirrored.get(key), started, verification)
        ]
        assert not wrong, f"{self.name}: {len(wrong)} rows, {self._told(wrong[0][0], wrong)}"
        self.checks += len(keys)
        self.earlier = verification.checked_from.replace(tzinfo=None)

    def _whole(self, key: Key, row: object, started: float, verification: Verification) -> bool:
        """The row was there at some moment of the interval that the run states."""
        start, end = verification.checked_from.timestamp(), verification.checked_to.timestamp()
        visible = self.history.visible(key, start, end)
        return any(self.history.row(key, position) == row for position in visible)

    def _shared(self, key: Key, row: object, started: float, verification: Verification) -> bool:
        """The key was there, or not, and the row is no older than it was, or than its stamp."""
        start, end = verification.checked_from.timestamp(), verification.checked_to.timestamp()
        compared = [self.history.row(key, at) for at in self.history.visible(key, start, end)]
        if (row is None) not in [other is None for other in compared]:
            return False
        # the window began earlier than the comparison that followed it
        bound = self.earlier - timedelta(seconds=OVERLAP_SECONDS)
        visible = self.history.visible(key, started, end)
        read = [self.history.row(key, at) for at in visible]
        is_in_window = all(other and other.get("updated_at", bound) >= bound for other in read)
        least = visible[0] if is_in_window else self.known.get(key, 0)
        position = self.history.position(key, row)
        self.known[key] = position
        return position >= least

    def _told(self, key: Key, wrong: list) -> str:
        return f"first {wrong[:3]}, whose history is {self.history.versions.get(key)}"


@contextmanager
def writing(storm: Storm, servers: Servers, database: str) -> Iterator[None]:
    """The writers at work; afterwards they have stopped, and their errors are told."""
    application = servers.operational_root
    with (
        operational_connection(application, database) as first,
        operational_connection(application, database) as second,
        operational_connection(application, database) as third,
    ):
        writers = [Writer(storm, n, c) for n, c in enumerate((first, second, third))]
        threads = [threading.Thread(target=writer.run) for writer in writers]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            storm.over.set()
            for thread in threads:
                thread.join()
    if storm.errors:
        raise storm.errors[0]


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


def create(operational: OperationalDatabase, name: str, history: History) -> None:
    """Make a table, whose rows are the first versions in its history."""
    operational.execute(
        f"create table {name} (id int primary key, code int unique, body varchar(40),"
        " updated_at timestamp(6) null)"
    )
    operational.execute(
        f"insert into {name} select seq, null, seq, '2020-01-01' from seq_1_to_{ROWS[name]}"
    )
    for key, row in source_rows(operational.connection, name, KEY).items():
        history.add(key, Version(row, 0.0, 0.0))


@pytest.mark.usefixtures("small_ranges")
def test_each_row_is_one_that_the_source_held_while_it_was_compared(
    servers: Servers, operational: OperationalDatabase, mirror: Mirror, query: Callable
) -> None:
    seed = int(os.environ.get("TIDEMARK_SEED") or secrets.randbits(32))
    print(f"seed {seed}")
    storm = Storm(seed, {name: History() for name in ROWS})
    tables = [mirror.table(name, overlap_seconds=OVERLAP_SECONDS) for name in ROWS]
    for name in ROWS:
        create(operational, name, storm.histories[name])
    checkers = [
        Checker(
            name,
            storm.histories[name],
            ChangeLog(query, name, KEY),
            lambda name=name: mirror_rows(query, name, KEY),
        )
        for name in ROWS
    ]
    extracts = 0
    began = time.monotonic()
    with writing(storm, servers, operational.name):
        while (storm.operations < OPERATIONS or extracts < EXTRACTS) and not storm.over.is_set():
            started = time.time()
            for checker, outcome in zip(checkers, mirror.extract(*tables), strict=True):
                checker.check(started, outcome)
            extracts += 1
    print(
        f"{storm.operations} operations, {extracts} extracts, {time.monotonic() - began:.0f} s,"
        f" {sum(checker.checks for checker in checkers)} rows checked: {dict(storm.counts)}"
    )
    query("update mrr_state.key_range set compared_at = now() - interval '2 days'")
    mirror.extract(*tables)
    for name, outcome in zip(ROWS, mirror.extract(*tables), strict=True):
        assert outcome.error is None
        assert outcome.verification.is_equal
        assert outcome.applied.rows == 0
        operational.connection.rollback()
        at_source = source_rows(operational.connection, name, KEY)
        assert differences(mirror_rows(query, name, KEY), at_source) == {}
