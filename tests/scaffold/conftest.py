"""A dbt project for `scaffold` to write into, and a source for it to read."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import embedded
from commands.scaffold.proposals import Domain
from commands.scaffold.work import Scaffold, scaffold
from extract.mysql.source import MySQLSource
from tests.support.command_line import copy_of_project
from tests.support.servers import OperationalDatabase


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The dbt project of a copy, without the domains of whoever runs the tests."""
    return copy_of_project(tmp_path / "project") / "dbt_project"


@pytest.fixture
def source(servers: embedded.Servers) -> Iterator[MySQLSource]:
    made = MySQLSource(servers.operational)
    yield made
    made.close()


@pytest.fixture
def scaffolded(
    source: MySQLSource, operational: OperationalDatabase, project: Path
) -> Callable[..., Scaffold]:
    """Runs the statements, and writes what the database then has, as the domain `shop`."""

    def run(*statements: str, tables: tuple[str, ...] = (), server: str = "") -> Scaffold:
        for statement in statements:
            operational.execute(statement)
        return scaffold(source, Domain("shop", operational.name, server), tables, project)

    return run
