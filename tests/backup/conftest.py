"""A warehouse with something of every kind in it, its backups and restores."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from backup import Backup, Restored, dump, restore
from common.settings import Address
from embedded import Servers
from tests.support.backups import SAMPLE, Ask, asker
from tests.support.servers import drop_database
from warehouse.connection import connect
from warehouse.upgrade import upgrade


@pytest.fixture
def warehouse(warehouse: Address) -> Address:
    """A warehouse with something of every kind in it."""
    with closing(connect(warehouse)) as connection, connection.cursor() as cursor:
        upgrade(connection)
        cursor.execute(SAMPLE)
    return warehouse


@pytest.fixture
def new_database(warehouse: Address) -> Iterator[Address]:
    """An empty database beside the warehouse."""
    other = replace(warehouse, database=f"{warehouse.database}_other")
    with closing(connect(warehouse)) as connection:
        ask = asker(connection)
        ask(f"create database {other.database}")
        yield other
        drop_database(connection, other.database)


@pytest.fixture
def ask(warehouse: Address) -> Iterator[Ask]:
    """Runs a statement in the warehouse and gives its rows."""
    with closing(connect(warehouse)) as connection:
        yield asker(connection)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "backups"


@pytest.fixture
def save(warehouse: Address, directory: Path, servers: Servers) -> Callable[..., Backup]:
    """Backs the warehouse up."""
    return lambda **options: dump(warehouse, directory, servers.programs, "run-3", **options)


@pytest.fixture
def bring_back(warehouse: Address, directory: Path, servers: Servers) -> Callable[..., Restored]:
    """Restores the newest backup into the warehouse."""

    def run(*layers: str, into: Address = warehouse, name: str | None = None) -> Restored:
        return restore(into, directory, name, layers or None, servers.programs, "run-4")

    return run
