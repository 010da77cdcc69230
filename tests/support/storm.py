"""Writers at work while extracts run, and a judge of each row that the extracts leave."""

import random
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pymysql
from pymysql.constants import ER

from embedded import Servers
from extract.compare import reconcile
from extract.declarations import MirroredTable
from extract.extraction import TableOutcome
from extract.mirror.verification import Verification
from operational.connection import connection as operational_connection
from tests.support.life_checker import (
    ChangeLog,
    History,
    Key,
    Query,
    Rows,
    Version,
    differences,
    mirror_rows,
    rows_by_key,
    source_rows,
)
from tests.support.mirror import Mirror

WRITERS = 3
OVERLAP_SECONDS = 2
"""Some of the long transactions commit later than that."""
LONG_AGO = datetime(2020, 1, 1)
GIVE_UP_CODES = {ER.LOCK_DEADLOCK, ER.LOCK_WAIT_TIMEOUT, ER.DUP_ENTRY}
Changed = dict[str, set[Key]]
"""The keys that a transaction has changed, by table."""


@dataclass
class Storm:
    """What the writers share: the tables and their histories, counts, and when to end."""

    seed: int
    tables: dict[str, MirroredTable]
    """By their names at the source."""
    histories: dict[str, History] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    over: threading.Event = field(default_factory=threading.Event)
    errors: list[BaseException] = field(default_factory=list)

    @property
    def operations(self) -> int:
        return self.counts.total()

    def begin(self, connection: pymysql.Connection) -> None:
        """Make the rows that the tables have now the first versions in their histories."""
        for name, table in self.tables.items():
            self.histories[name] = History()
            for key, row in source_rows(connection, name, table.key).items():
                self.histories[name].add(key, Version(row, 0.0, 0.0))
        connection.rollback()


class Writer(ABC):
    """An application's connection that changes the tables at random, and says what it committed."""

    refusals: Collection[int] = GIVE_UP_CODES
    """The codes of the errors at which a transaction is rolled back."""

    def __init__(self, storm: Storm, number: int, connection: pymysql.Connection) -> None:
        self._storm = storm
        self._number = number
        self._chance = random.Random(storm.seed + number)
        self._connection = connection
        self._cursor = connection.cursor()
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

    @abstractmethod
    def _change(self) -> Changed:
        """Some operations of one transaction, which hold the rows that they changed locked."""

    def _transact(self) -> None:
        """A transaction, now and then a long or a vain one."""
        try:
            changed = self._change()
        except pymysql.err.Error as error:
            if error.args[0] not in self.refusals:
                raise
            self._connection.rollback()
            return
        if self._chance.random() < 0.01:
            self._storm.over.wait(self._chance.uniform(0.5, 2.5))
        if self._chance.random() < 0.1:
            self._connection.rollback()
        else:
            self._commit(changed)

    def _commit(self, changed: Changed) -> None:
        committed = []
        for table, keys in changed.items():
            versions = self._versions(table, keys)
            committed += versions.values()
            for key, version in versions.items():
                self._storm.histories[table].add(key, version)
        self._connection.commit()
        ended = time.time()
        for version in committed:
            version.ended = ended

    def _versions(self, table: str, keys: set[Key]) -> dict[Key, Version]:
        """The rows that this transaction holds locked, as its COMMIT will show them."""
        if not keys:
            return {}
        columns = self._storm.tables[table].key
        one = " and ".join(f"{column} = %s" for column in columns)
        self._cursor.execute(
            f"select * from {table} where " + " or ".join([f"({one})"] * len(keys)),
            [value for key in keys for value in key],
        )
        rows = rows_by_key(self._cursor, columns)
        began = time.time()
        return {key: Version(rows.get(key), began) for key in keys}


@contextmanager
def writing(
    storm: Storm,
    servers: Servers,
    database: str,
    new_writer: Callable[[Storm, int, pymysql.Connection], Writer],
) -> Iterator[None]:
    """The writers at work; afterwards they have stopped, and their errors are told."""
    with ExitStack() as stack:
        connections = [
            stack.enter_context(operational_connection(servers.operational_root, database))
            for _ in range(WRITERS)
        ]
        writers = [new_writer(storm, n, c) for n, c in enumerate(connections)]
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


@dataclass
class Checker:
    """Holds what each extract left in a table's mirror against the history of the table."""

    table: MirroredTable
    history: History
    query: Query
    mirrored: Rows = field(default_factory=dict)
    known: dict[Key, int] = field(default_factory=dict)
    earlier: datetime = LONG_AGO
    checks: int = 0
    methods: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.change_log = ChangeLog(self.query, self.table.name, self.table.key)

    def check(self, started: float, outcome: TableOutcome) -> None:
        """Raise AssertionError for a row that the source did not hold when it was compared."""
        assert outcome.error is None, outcome.error
        verification = outcome.verification
        mirrored = mirror_rows(self.query, self.table.name, self.table.key)
        logged = self.change_log.replay(self.mirrored, mirrored)
        assert logged in (None, verification.applied)
        self.mirrored = mirrored
        keys = self.history.keys()
        assert mirrored.keys() <= keys
        is_whole = verification.method == reconcile.EVERY_ROW
        judged = self._whole if is_whole else self._shared
        wrong = [
            (key, mirrored.get(key))
            for key in keys
            if not judged(key, mirrored.get(key), started, verification)
        ]
        assert not wrong, f"{self.table.name}: {len(wrong)} rows, {self._told(wrong)}"
        self.checks += len(keys)
        self.methods.add(reconcile.EVERY_ROW if is_whole else reconcile.EVERY_KEY)
        self.earlier = verification.checked_from.replace(tzinfo=None)

    def _whole(self, key: Key, row: object, started: float, verification: Verification) -> bool:
        """The row was there at some moment of the interval that the run states."""
        start, end = verification.checked_from.timestamp(), verification.checked_to.timestamp()
        visible = self.history.visible(key, start, end)
        return any(self.history.row(key, position) == row for position in visible)

    def _shared(self, key: Key, row: object, started: float, verification: Verification) -> bool:
        """The key was there, or not, and the row is no older than it was, or than its stamp.

        Without a cursor no window brings a change, and the row may be as old as it was.
        """
        start, end = verification.checked_from.timestamp(), verification.checked_to.timestamp()
        compared = [self.history.row(key, at) for at in self.history.visible(key, start, end)]
        if (row is None) not in [other is None for other in compared]:
            return False
        # the window began earlier than the comparison that followed it
        bound = self.earlier - timedelta(seconds=OVERLAP_SECONDS)
        visible = self.history.visible(key, started, end)
        read = [self.history.row(key, at) for at in visible]
        is_in_window = self.table.cursor is not None and all(
            other and other.get(self.table.cursor, bound) >= bound for other in read
        )
        least = visible[0] if is_in_window else self.known.get(key, 0)
        position = self.history.position(key, row)
        self.known[key] = position
        return position >= least

    def _told(self, wrong: list) -> str:
        return f"first {wrong[:3]}, whose history is {self.history.versions.get(wrong[0][0])}"


def check_at_rest(
    mirror: Mirror, query: Query, connection: pymysql.Connection, storm: Storm
) -> None:
    """Once the storm is over and every row was compared, the mirror is the source."""
    tables = storm.tables.values()
    query("update mrr_state.key_range set compared_at = now() - interval '2 days'")
    mirror.extract(*tables)
    outcomes = mirror.extract(*tables)
    connection.rollback()
    for (name, table), outcome in zip(storm.tables.items(), outcomes, strict=True):
        assert outcome.error is None
        assert outcome.verification.is_equal
        assert outcome.applied.rows == 0
        at_source = source_rows(connection, name, table.key)
        assert differences(mirror_rows(query, table.name, table.key), at_source) == {}
