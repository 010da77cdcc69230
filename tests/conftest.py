"""The servers of the tests: real ones, of their own, beside those of the checkout."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import pymysql
import pytest

import embedded
from commands.servers import Connected
from common.settings import LOCAL, PROJECT, Address
from operational.connection import connection as operational_connection
from operational.seed import seed
from tests.sources.choice import portable, start_chosen, stop_chosen
from warehouse.build import dbt_environment
from warehouse.connection import connect

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
TEST_SERVERS = LOCAL / f"test-servers{WORKER}"
"""The home of the servers; each of several processes that test at once has its own."""


@pytest.fixture(scope="session")
def servers() -> Iterator[embedded.Servers]:
    """A PostgreSQL and the server to mirror, with the sample databases."""
    started = start_chosen(embedded.start(TEST_SERVERS), TEST_SERVERS)
    seed(started)
    yield started
    stop_chosen(TEST_SERVERS)
    embedded.stop(TEST_SERVERS)


@contextmanager
def new_warehouse(servers: embedded.Servers) -> Iterator[Address]:
    """An empty warehouse database, dropped afterwards."""
    name = f"test_{secrets.token_hex(4)}"
    admin = connect(servers.warehouse)
    with admin.cursor() as cursor:
        cursor.execute(f"create database {name}")
    yield Address(**{**vars(servers.warehouse), "database": name})
    drop_database(admin, name)
    admin.close()


def drop_database(admin: psycopg2.extensions.connection, name: str) -> None:
    """Drop a database with what is connected to it, but for autovacuum, which goes by itself."""
    with admin.cursor() as cursor:
        for _ in range(50):
            try:
                cursor.execute(f"drop database {name} with (force)")
                return
            except psycopg2.errors.InsufficientPrivilege:
                time.sleep(0.2)
        cursor.execute(f"drop database {name}")


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
        cursor.execute(
            "select string_agg(quote_ident(nspname), ', ') from pg_namespace"
            " where nspname <> 'information_schema' and nspname !~ '^pg_'"
        )
        (schemas,) = cursor.fetchone()
        cursor.execute(f"drop schema {schemas} cascade")
        cursor.execute("create schema public")
        cursor.execute(f"alter database {only_warehouse.database} reset all")
    connection.close()


@dataclass
class OperationalDatabase:
    """An operational database of a test, written to as its application does."""

    name: str
    connection: pymysql.Connection

    def execute(self, sql: str, parameters: tuple = ()) -> list[tuple]:
        with self.connection.cursor() as cursor:
            cursor.execute(portable(sql), parameters or None)
            rows = list(cursor.fetchall())
        self.connection.commit()
        return rows


@contextmanager
def new_operational(servers: embedded.Servers) -> Iterator[OperationalDatabase]:
    """An empty operational database, dropped afterwards."""
    name = f"test_{secrets.token_hex(4)}"
    embedded.create_database(servers, name)
    with operational_connection(servers.operational_root, name) as connection:
        database = OperationalDatabase(name, connection)
        yield database
        database.execute(f"drop database {name}")


@pytest.fixture
def operational(servers: embedded.Servers) -> Iterator[OperationalDatabase]:
    """An empty operational database that the application owns and the reader may read."""
    with new_operational(servers) as database:
        yield database


@contextmanager
def querying(warehouse: Address) -> Iterator[Callable[..., list[tuple]]]:
    """Runs SQL in a warehouse, on a connection apart from the code's own."""
    connection = psycopg2.connect(
        host=warehouse.host,
        port=warehouse.port,
        user=warehouse.user,
        password=warehouse.password,
        dbname=warehouse.database,
        options="-c timezone=UTC",
    )
    connection.autocommit = True

    def run(sql: str, parameters: tuple = ()) -> list[tuple]:
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters or None)
            return cursor.fetchall() if cursor.description else []

    yield run
    connection.close()


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
def connected(servers: embedded.Servers, warehouse: Address) -> Connected:
    """What a command works on: the test's MariaDB, and its own warehouse."""
    return Connected(servers.operational, warehouse, None)


class CommandLine:
    """run.py and dbt of a project folder, as a user starts them."""

    def __init__(self, folder: Path, operational: Address, warehouse: Address) -> None:
        self.folder = folder
        self.addresses = operational, warehouse
        self.environment = {
            **os.environ,
            **dbt_environment(warehouse),
            "OPERATIONAL_HOST": operational.host,
            "OPERATIONAL_PORT": str(operational.port),
            "OPERATIONAL_USER": operational.user,
            "OPERATIONAL_PASSWORD": operational.password,
            "DBT_PROJECT_DIR": str(folder / "dbt_project"),
            "DBT_PROFILES_DIR": str(folder),
        }

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return self._call([sys.executable, str(self.folder / "run.py"), *arguments], environment)

    def dbt(
        self, *arguments: str, folder: Path | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        dbt = Path(sys.executable).parent / "dbt"
        return self._call([str(dbt), *arguments], environment, folder)

    def _call(
        self, command: list[str], environment: dict[str, str], folder: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=folder or self.folder,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )


def copy_of_project(folder: Path) -> Path:
    """A copy of the project without its state, so that a test may break a model of it."""
    left_out = (".git", ".local", ".venv", "target", "logs", ".env", "__pycache__")
    shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns(*left_out))
    (folder / ".venv").symlink_to(PROJECT / ".venv")
    return folder


@pytest.fixture
def command_line(servers: embedded.Servers, warehouse: Address, tmp_path: Path) -> CommandLine:
    """A copy of the project on the test's servers."""
    return CommandLine(copy_of_project(tmp_path / "project"), servers.operational, warehouse)
