"""A receiver, and checks of a warehouse whose control tables a test writes by hand."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from psycopg2.extensions import connection as Connection

from alerts import AlertSettings, Checked, Look, Scope, check
from commands.failures import translated_errors
from common.errors import ServerError
from common.settings import Address
from tests.support.receiver import Receiver, receiving
from tests.support.servers import Query
from warehouse.connection import connect
from warehouse.upgrade import upgrade

TABLES = {"mrr_fact_sales": "sales", "mrr_dim_products": "sales", "mrr_fact_visits": "web"}
NODES = {"assert_it": "test", "dwh_x": "model", **{f"dwh_{n:02}": "model" for n in range(25)}}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


class Checks:
    """Checks of a warehouse, one after the other, as two processes would make them."""

    def __init__(self, address: Address, urls: tuple[str, ...], state_file: Path) -> None:
        self.address = address
        self.settings = AlertSettings(urls, no_run=None, no_backup=None)
        self.state_file = state_file
        self.scope = Scope(TABLES, NODES)
        self.is_down = False

    def check(self) -> Checked:
        return check(self.settings, self.state_file, "Tidemark of a test", self._look)

    def late(self, **hours: int) -> None:
        """Set `no_run` or `no_backup`, in hours."""
        ages = {name: timedelta(hours=count) for name, count in hours.items()}
        self.settings = replace(self.settings, **ages)

    @contextmanager
    def _look(self) -> Iterator[Look]:
        if self.is_down:
            raise ServerError(f"warehouse {self.address}", "no connection", "Start the server.")
        with translated_errors(self.address), closing(connect(self.address)) as connection:
            yield Look(connection, self.scope)


@pytest.fixture
def upgraded(warehouse: Address) -> Iterator[Connection]:
    connection = connect(warehouse)
    upgrade(connection)
    yield connection
    connection.close()


@pytest.fixture
def checks(upgraded: Connection, warehouse: Address, receiver: Receiver, tmp_path: Path) -> Checks:
    return Checks(warehouse, (receiver.url(),), tmp_path / "alerts.json")


class Log:
    """Entries of the run log, each later than the one before it."""

    def __init__(self, query: Query) -> None:
        self._query = query
        self._seconds = 0

    def add(
        self,
        process: str,
        step: str,
        status: str,
        message: str | None = None,
        run: str = "r1",
        scope: str | None = None,
        is_own: bool = True,
    ) -> None:
        """Add an entry; a command that fails does so by itself, unless `is_own` is false."""
        self._seconds += 1
        at = f"timestamptz '2026-11-27 03:00:00+00' + interval '{self._seconds} s'"
        finished_at = "null" if status == "running" else at
        self._query(
            "insert into dwh.run_log (run_id, process, step, status, error_message, scope,"
            " is_own_failure, started_at, finished_at)"
            f" values (%s, %s, %s, %s, %s, %s, %s, {at}, {finished_at})",
            (run, process, step, status, message, scope, is_own and status == "error"),
        )


@pytest.fixture
def log(upgraded: Connection, query: Query) -> Log:
    return Log(query)
