"""A real broker and a database of a test's own. Without the extra, these tests do not start."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import embedded
from common.settings import Address
from operational.seed import DOMAINS, create_tables
from streaming import connection
from streaming.extra import FOLDER, use_extra
from streaming.settings import Cluster
from tests.support.command_line import copy_of_project
from tests.support.servers import TEST_SERVERS, new_operational
from tests.support.streams import Stream, recreate

use_extra()
CUSTOMERS = re.compile(r"create table customers \(.+?\) engine = innodb;", re.DOTALL)


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, whose commands leave nothing in this one."""
    folder = copy_of_project(tmp_path_factory.mktemp("project") / "project")
    (folder / ".local").mkdir()
    (folder / ".local" / "stream").symlink_to(FOLDER)
    return folder


@pytest.fixture
def broker(servers: embedded.Servers) -> Cluster:
    """The broker of the tests, without topics."""
    cluster = Cluster(embedded.start_broker(TEST_SERVERS))
    recreate(cluster)
    return cluster


@pytest.fixture
def database(servers: embedded.Servers) -> Iterator[Address]:
    """A database with the customers of the shop, and the tables of the consumer."""
    with new_operational(servers) as made:
        schema = (DOMAINS / "ecommerce" / "schema.sql").read_text(encoding="utf-8")
        found = CUSTOMERS.search(schema)
        assert found
        with made.connection.cursor() as cursor:
            create_tables(cursor, found[0])
        address = replace(servers.operational_admin, database=made.name)
        connection.create_tables(address, retry_seconds=1)
        yield address


@pytest.fixture
def stream(broker: Cluster, database: Address) -> Stream:
    return Stream(broker, database)
