"""The embedded ClickHouse, and a warehouse whose tables are published to it.

Without the extra, these tests do not start.
"""

import secrets
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from psycopg2.extensions import connection as Connection

import embedded
from common.settings import Address
from embedded.clickhouse import EXTRA
from publishing.client import Client
from publishing.publisher import Target
from publishing.storage import Place
from tests.support.published import Shop
from tests.support.servers import TEST_SERVERS
from warehouse.connection import connect
from warehouse.upgrade import upgrade

if not (EXTRA / "chdb").is_dir():
    pytest.exit("the engine of ClickHouse is missing: make olap", returncode=2)


@pytest.fixture
def clickhouse(servers: embedded.Servers) -> Iterator[Address]:
    """The server, with a database of the test's own."""
    address = replace(
        embedded.start_clickhouse(TEST_SERVERS), database=f"test_{secrets.token_hex(4)}"
    )
    yield address
    with Client(embedded.start_clickhouse(TEST_SERVERS)) as client:
        client.execute(f"drop database if exists {address.database} sync")


@pytest.fixture
def target(clickhouse: Address) -> Iterator[Target]:
    with Client(clickhouse) as client:
        yield Target(client, Place(clickhouse.database), "test")


@pytest.fixture
def connection(warehouse: Address) -> Iterator[Connection]:
    with closing(connect(warehouse)) as made:
        upgrade(made)
        yield made


@pytest.fixture
def shop(warehouse: Address, connection: Connection, target: Target) -> Iterator[Shop]:
    """Orders of a shop in the mirror, with values of every type."""
    with closing(connect(warehouse)) as reader:
        made = Shop(connection, reader, warehouse, target)
        made.create()
        yield made
