"""A warehouse with something of every kind in it, its backups and restores."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backup import Backup, Restored, Verification, dump, restore, verify
from common.backup_settings import BackupSettings
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
    """Backs the warehouse up; the settings may differ from the defaults."""

    def run(**settings: Any) -> Backup:
        return dump(warehouse, BackupSettings(directory, **settings), servers.programs, "run-3")

    return run


@pytest.fixture
def bring_back(warehouse: Address, directory: Path, servers: Servers) -> Callable[..., Restored]:
    """Restores the newest backup into the warehouse."""

    def run(
        *layers: str, into: Address = warehouse, name: str | None = None, **settings: Any
    ) -> Restored:
        made = BackupSettings(directory, **settings)
        return restore(into, made, name, layers or None, servers.programs)

    return run


@pytest.fixture
def prove(warehouse: Address, directory: Path, servers: Servers) -> Callable[..., Verification]:
    """Verifies the newest backup."""

    def run(name: str | None = None, at: Address = warehouse, **settings: Any) -> Verification:
        return verify(at, BackupSettings(directory, **settings), name, servers.programs, "run-5")

    return run
