"""Sessions of the warehouse that work at the same time."""

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import closing, suppress
from threading import Event
from typing import TypeVar

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from backup.server.contents import NO_TIME_LIMITS
from common.settings import Address
from warehouse.connection import connect, transaction

SECONDS_BETWEEN_CANCELS = 0.2

Item = TypeVar("Item")


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
                while (item := self._next(left)) is not None:
                    with transaction(connection), connection.cursor() as cursor:
                        cursor.execute(NO_TIME_LIMITS)
                        work(cursor, item)
            finally:
                self._open.discard(connection)

    def _next(self, left: deque[Item]) -> Item | None:
        """The next item; None at the end. A thread may have taken the last one just before."""
        with suppress(IndexError):
            return None if self._is_ended.is_set() else left.popleft()
        return None

    def _end(self, running: Iterable["Future[None]"]) -> None:
        """Cancel the statements of all sessions until each has ended."""
        self._is_ended.set()
        left = set(running)
        while left:
            for connection in tuple(self._open):
                with suppress(psycopg2.Error):
                    connection.cancel()
            _, left = wait(left, timeout=SECONDS_BETWEEN_CANCELS)
