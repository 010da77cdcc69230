"""A dbt project for `scaffold` to write into, and a source for it to read."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import embedded
from commands.scaffold.proposals import Domain
from commands.scaffold.work import Scaffold, scaffold
from common.settings import DBT_PROJECT
from extract.mysql.source import MySQLSource
from tests.support.servers import OperationalDatabase


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the dbt project."""
    ignored = shutil.ignore_patterns("target", "logs")
    return shutil.copytree(DBT_PROJECT, tmp_path / "dbt_project", ignore=ignored)


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
