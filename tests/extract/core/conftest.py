"""Mirrored tables to break, and the servers' own settings."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

import embedded
from extract import stored_ranges
from extract.catalog import TableDescription, describe
from extract.declarations import MirroredTable
from extract.mirror import MirrorTable
from extract.reader import Reader
from extract.reconcile import verify
from extract.session import Session
from extract.verification import Verification
from operational.connection import connection as operational_connection
from tests.conftest import OperationalDatabase
from tests.extract.conftest import Mirror
from warehouse.connection import transaction

Query = Callable[..., list[tuple]]
SetGlobal = Callable[[str, object], None]

OLD = "2020-01-01"
"""A stamp long before any window."""


@pytest.fixture
def root(servers: embedded.Servers) -> Iterator[Query]:
    """SQL as the administrator of the operational server."""
    with operational_connection(servers.operational_root) as connection:

        def execute(sql: str) -> list[tuple]:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall())

        yield execute


@pytest.fixture
def set_global(root: Query) -> Iterator[SetGlobal]:
    """Sets variables of the operational server for the sessions to come, until the test ends."""
    before: dict[str, object] = {}

    def set_variable(name: str, value: object) -> None:
        before.setdefault(name, root(f"select @@global.{name}")[0][0])
        root(f"set global {name} = {value!r}")

    yield set_variable
    for name, value in before.items():
        root(f"set global {name} = {value!r}")


@pytest.fixture
def session(servers: embedded.Servers) -> Iterator[Session]:
    made = Session(servers.operational)
    yield made
    made.close()


@pytest.fixture
def items(operational: OperationalDatabase, mirror: Mirror) -> Mirror:
    """Three mirrored rows, stamped long ago."""
    operational.execute(
        "create table items (id int primary key, a varchar(20), b varchar(20), n int, m int,"
        " d date, updated_at timestamp(6) null)"
    )
    operational.execute(
        f"insert into items values (1, 'x', 'yVz', 1, 23, '2024-01-01', '{OLD}'),"
        f" (2, null, '', null, 0, '2024-01-02', '{OLD}'), (3, '', null, 0, null, null, '{OLD}')"
    )
    mirror.extract_one(mirror.table("items"))
    return mirror


@pytest.fixture
def large(
    operational: OperationalDatabase, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> Mirror:
    """A mirrored table of 1,500 rows in 15 ranges, stamped long ago."""
    monkeypatch.setattr(stored_ranges, "RANGE_ROWS", 100)
    operational.execute(
        "create table items (id bigint primary key, no int not null unique, v double,"
        " updated_at timestamp(6) null)"
    )
    operational.execute(f"insert into items select seq, -seq, seq, '{OLD}' from seq_1_to_1500")
    mirror.extract_one(mirror.table("items"))
    return mirror


def described_as_large(session: Session, table: MirroredTable) -> TableDescription:
    """The table as its source has it, taken for larger than any range."""
    return replace(describe(session, table), estimated_rows=10**9, row_bytes=0)


def verified(mirror: Mirror, table: MirroredTable) -> Verification:
    """What a comparison of every row says, which changes nothing."""
    source = Session(mirror.connected.operational)
    known = describe(source, table)
    try:
        with transaction(mirror.connection), mirror.connection.cursor() as cursor:
            return verify(cursor, Reader(source, known), MirrorTable(known, "test"))
    finally:
        source.close()
