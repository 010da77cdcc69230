"""A mirror, mirrored tables to break, and the settings of the operational server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import embedded
from commands.endpoints import Endpoints
from extract.mysql.source import MySQLSource
from operational.connection import connection as operational_connection
from tests.support.mirror import OLD, Mirror, Query, SetGlobal
from tests.support.servers import OperationalDatabase


@pytest.fixture
def mirror(
    endpoints: Endpoints, operational: OperationalDatabase, tmp_path: Path
) -> Iterator[Mirror]:
    made = Mirror(endpoints, operational.name, tmp_path / "landing")
    yield made
    made.connection.close()


@pytest.fixture
def rows_of(query: Query) -> Query:
    """The rows of a mirrored table, in the order of its first column."""
    return lambda name: query(f'select * from mrr."{name}" order by 1')


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
def session(servers: embedded.Servers) -> Iterator[MySQLSource]:
    made = MySQLSource(servers.operational)
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
def large(operational: OperationalDatabase, mirror: Mirror) -> Mirror:
    """A mirrored table of 1,500 rows in 15 ranges, stamped long ago."""
    mirror.limit(range_rows=100)
    operational.execute(
        "create table items (id bigint primary key, no int not null unique, v double,"
        " updated_at timestamp(6) null)"
    )
    operational.execute(f"insert into items select seq, -seq, seq, '{OLD}' from seq_1_to_1500")
    mirror.extract_one(mirror.table("items"))
    return mirror
