"""The servers of the tests, databases of a test on them, and SQL in these."""

import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import pymysql

import embedded
from common.settings import LOCAL, Address
from operational.connection import connection as operational_connection
from tests.sources.choice import portable
from warehouse.connection import connect

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
TEST_SERVERS = LOCAL / f"test-servers{WORKER}"
"""The home of the servers; each of several processes that test at once has its own."""


UNSAFE = "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n"

Query = Callable[..., list[tuple]]
"""Runs SQL, and gives its rows."""


def spare_the_disk(servers: embedded.Servers, home: Path) -> None:
    """Let no commit wait for the disk: no test cuts the power of the machine."""
    data = home / "postgresql"
    settings = data / "postgresql.auto.conf"
    if UNSAFE not in (before := settings.read_text(encoding="utf-8")):
        settings.write_text(before + UNSAFE, encoding="utf-8")
    pid = (data / "postmaster.pid").read_text(encoding="utf-8").split()[0]
    os.kill(int(pid), signal.SIGHUP)
    with operational_connection(servers.operational_root) as root, root.cursor() as cursor:
        cursor.execute("set global innodb_flush_log_at_trx_commit = 0")


@contextmanager
def new_warehouse(servers: embedded.Servers, template: Address | None = None) -> Iterator[Address]:
    """An empty warehouse database, or a copy of one that nobody works in; dropped afterwards."""
    name = f"test_{secrets.token_hex(4)}"
    admin = connect(servers.warehouse)
    with admin.cursor() as cursor:
        copied = f" template {template.database}" if template else ""
        cursor.execute(f"create database {name}{copied}")
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


@contextmanager
def querying(warehouse: Address) -> Iterator[Query]:
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
