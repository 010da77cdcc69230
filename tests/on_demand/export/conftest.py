"""A warehouse of the sales domain, exported by the command. Without the extra, nothing starts."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from psycopg2.extensions import connection as Connection

import embedded
from common.settings import Address
from export.extra import FOLDER, use_extra
from operational.connection import connection as operational_connection
from tests.export.conftest import address, connection, log, query
from tests.support.command_line import CommandLine, copy_of_project
from tests.support.servers import new_warehouse, querying

use_extra()

# these need the packages of the extra
from tests.on_demand.export.lake import Lake  # noqa: E402

Query = Callable[..., list[tuple]]

__all__ = ["address", "connection", "log", "query"]


@pytest.fixture
def shop(servers: embedded.Servers, tmp_path: Path) -> Iterator[CommandLine]:
    """The project after a run, with a warehouse of its own."""
    folder = copy_of_project(tmp_path / "project")
    (folder / ".local").mkdir()
    (folder / ".local" / "export").symlink_to(FOLDER)
    with new_warehouse(servers) as made:
        shop = CommandLine(folder, servers.operational, made)
        done = shop.run()
        assert done.returncode == 0, done.stderr
        yield shop


@pytest.fixture
def at_source(servers: embedded.Servers) -> Iterator[Callable[[str], None]]:
    """Writes to the shop, whose rows are as before afterwards."""
    with operational_connection(servers.operational_root, "sales") as made:

        def write(sql: str) -> None:
            with made.cursor() as cursor:
                cursor.execute(sql)
            made.commit()

        yield write
        write("delete from customers where id > 990000")


@pytest.fixture
def in_warehouse(shop: CommandLine) -> Iterator[Query]:
    with querying(shop.addresses[1]) as run:
        yield run


@pytest.fixture
def lake(address: Address, connection: Connection, query: Query, tmp_path: Path) -> Lake:
    query("truncate mrr_state.iceberg_tables, mrr_state.iceberg_namespace_properties")
    return Lake(address, connection, tmp_path)
