"""The servers of the tests: real ones, of their own, beside those of the checkout."""

import gc
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import embedded
from commands.endpoints import Endpoints
from common.settings import Address
from operational.seed import seed
from tests.sources.choice import start_chosen, stop_chosen
from tests.support.command_line import DEMO, CommandLine, copy_of_project
from tests.support.servers import (
    TEST_SERVERS,
    OperationalDatabase,
    new_operational,
    new_warehouse,
    querying,
    spare_the_disk,
)
from warehouse.connection import connect

DROPPED_AT_ONCE = 500


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those of extract last: their files are short, so that no process waits long for the other."""
    items.sort(key=lambda item: "extract" in item.path.parts)


def pytest_collection_finish() -> None:
    """What dbt makes of a project is large and stays: to look through it often finds little."""
    gc.freeze()
    gc.set_threshold(50_000)


@pytest.fixture(scope="session")
def servers() -> Iterator[embedded.Servers]:
    """A PostgreSQL and the server to mirror, with the sample databases."""
    started = start_chosen(embedded.start(TEST_SERVERS), TEST_SERVERS)
    spare_the_disk(started, TEST_SERVERS)
    seed(started, [DEMO])
    yield started
    stop_chosen(TEST_SERVERS)
    embedded.stop(TEST_SERVERS)


@pytest.fixture(scope="module")
def address(servers: embedded.Servers) -> Iterator[Address]:
    """A warehouse for tests of a file that follow one another in it."""
    with new_warehouse(servers) as address:
        yield address


@pytest.fixture(scope="session")
def only_warehouse(servers: embedded.Servers) -> Iterator[Address]:
    with new_warehouse(servers) as address:
        yield address


@pytest.fixture
def warehouse(only_warehouse: Address) -> Iterator[Address]:
    """An empty warehouse database; one for all, since making and dropping one takes its time."""
    yield only_warehouse
    connection = connect(only_warehouse)
    with connection.cursor() as cursor:
        cursor.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
            " and backend_type = 'client backend'"
        )
        # one statement for all of them needs more locks than there are, after a thousand lives
        cursor.execute("select format('%I.%I', schemaname, tablename) from pg_tables")
        made = [name for (name,) in cursor.fetchall() if name.startswith("mrr.")]
        for start in range(0, len(made), DROPPED_AT_ONCE):
            cursor.execute(f"drop table {', '.join(made[start:][:DROPPED_AT_ONCE])} cascade")
        cursor.execute(
            "select string_agg(quote_ident(nspname), ', ') from pg_namespace"
            " where nspname <> 'information_schema' and nspname !~ '^pg_'"
        )
        (schemas,) = cursor.fetchone()
        cursor.execute(f"drop schema {schemas} cascade")
        cursor.execute("create schema public")
        cursor.execute(f"alter database {only_warehouse.database} reset all")
    connection.close()


@pytest.fixture
def operational(servers: embedded.Servers) -> Iterator[OperationalDatabase]:
    """An empty operational database that the application owns and the reader may read."""
    with new_operational(servers) as database:
        yield database


@pytest.fixture
def query(warehouse: Address) -> Iterator[Callable[..., list[tuple]]]:
    """Runs SQL in the test's warehouse."""
    with querying(warehouse) as run:
        yield run


@pytest.fixture
def free_port() -> int:
    """A port of this machine on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def endpoints(servers: embedded.Servers, warehouse: Address) -> Endpoints:
    """What a command works on: the test's MariaDB, and its own warehouse."""
    return Endpoints(servers.operational, warehouse, None)


@pytest.fixture
def command_line(servers: embedded.Servers, warehouse: Address, tmp_path: Path) -> CommandLine:
    """A copy of the project on the test's servers."""
    return CommandLine(copy_of_project(tmp_path / "project"), servers.operational, warehouse)
