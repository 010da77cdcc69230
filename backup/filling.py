"""Fills the tables of a restore, and compares them, in several sessions at once."""

import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import closing, suppress
from threading import Event
from typing import TypeVar

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from backup.archives import Archive, Part
from backup.contents import EXACT_TEXT, NO_TIME_LIMITS, read_table
from backup.manifest import Table
from backup.script import run_data
from backup.staging import staged
from common.errors import TidemarkError
from common.quoting import quoted
from common.settings import Address
from warehouse.connection import connect, transaction

SECONDS_BETWEEN_CANCELS = 0.2

Item = TypeVar("Item")


class RestoredDiffers(TidemarkError):
    """A restored table differs from the manifest; nothing was changed."""

    def __init__(self, backup: str, expected: Table, rows: int) -> None:
        self.expected = expected
        self.rows = rows
        problem = (
            f"{rows} rows restored, {expected.rows} in the manifest"
            if rows != expected.rows
            else "the digest of its rows differs from the manifest"
        )
        super().__init__(
            f"backup {backup}, {expected}",
            f"{problem}; nothing was changed",
            "Restore another backup by its name, and keep this one for analysis.",
        )


class Sessions:
    """Sessions of the warehouse that work at the same time, each on one item after the other."""

    def __init__(self, warehouse: Address, count: int) -> None:
        self.count = count
        self._warehouse = warehouse
        self._open: set[Connection] = set()
        self._is_ended = Event()

    def each(self, items: Iterable[Item], work: Callable[[Cursor, Item], object]) -> None:
        """Do the work for each item, in a transaction of its own.

        If one fails, the others are ended. Raises the first error.
        """
        left = deque(items)
        with ThreadPoolExecutor(max_workers=self.count) as threads:
            running = [
                threads.submit(self._work_through, left, work)
                for _ in range(min(self.count, len(left)))
            ]
            try:
                done, _ = wait(running, return_when=FIRST_EXCEPTION)
                for one in done:
                    one.result()
            except BaseException:
                self._end(running)
                raise

    def _work_through(self, left: deque[Item], work: Callable[[Cursor, Item], object]) -> None:
        with closing(connect(self._warehouse, application="tidemark restore")) as connection:
            self._open.add(connection)
            try:
                while left and not self._is_ended.is_set():
                    item = left.popleft()
                    with transaction(connection), connection.cursor() as cursor:
                        cursor.execute(NO_TIME_LIMITS)
                        work(cursor, item)
            finally:
                self._open.discard(connection)

    def _end(self, running: Iterable["Future[None]"]) -> None:
        """Cancel the statements of all sessions until each has ended."""
        self._is_ended.set()
        left = set(running)
        while left:
            for connection in tuple(self._open):
                with suppress(psycopg2.Error):
                    connection.cancel()
            _, left = wait(left, timeout=SECONDS_BETWEEN_CANCELS)


def fill(sessions: Sessions, archive: Archive) -> None:
    """Copy the rows of a dump into the empty tables of the staged schemas."""
    sessions.each(archive.parts(sessions.count), _fill)


def compare(sessions: Sessions, backup: str, tables: Iterable[Table]) -> float:
    """Compare the staged tables with the manifest; returns the seconds that it took.

    Raises RestoredDiffers.
    """
    started = time.monotonic()
    largest_first = sorted(tables, key=lambda table: table.rows, reverse=True)
    sessions.each(
        largest_first,
        lambda cursor, table: compare_table(cursor, backup, table, staged(table.schema)),
    )
    return time.monotonic() - started


def compare_table(cursor: Cursor, backup: str, expected: Table, schema: str) -> None:
    """Compare a table, which is in this schema now. Raises RestoredDiffers."""
    cursor.execute(EXACT_TEXT)
    found = read_table(cursor, schema, expected.name)
    if (found.rows, found.digest) != (expected.rows, expected.digest):
        raise RestoredDiffers(backup, expected, found.rows)
    cursor.execute(f"analyze {quoted(schema, expected.name)}")


def _fill(cursor: Cursor, part: Part) -> None:
    with part.script() as script:
        run_data(cursor, script, staged)
