"""A project whose first run writes everything that programs read; the runs after it are short."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import embedded
from common.settings import Address
from operational.connection import connection as operational_connection
from tests.support.command_line import CommandLine, copy_of_project
from tests.support.json_documents import read_document
from tests.support.servers import Query, new_warehouse, querying

LOG = ".local/logs/tidemark.log"


@dataclass(frozen=True)
class FirstRun:
    """What the first run wrote: its document, standard error, its log and its metrics."""

    document: dict[str, Any]
    shown: str
    log: str
    metrics: str


@pytest.fixture(scope="session")
def address(servers: embedded.Servers) -> Iterator[Address]:
    with new_warehouse(servers) as address:
        yield address


@pytest.fixture(scope="session")
def project(
    servers: embedded.Servers, address: Address, tmp_path_factory: pytest.TempPathFactory
) -> CommandLine:
    """A copy of the project, without a run."""
    folder = copy_of_project(tmp_path_factory.mktemp("scripts") / "project")
    return CommandLine(folder, servers.operational, address)


@pytest.fixture(scope="session")
def metrics_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file to which runs write their metrics."""
    return tmp_path_factory.mktemp("collected") / "tidemark.prom"


@pytest.fixture(scope="session")
def before(project: CommandLine) -> dict[str, Any]:
    """The status before the first run."""
    return read_document(project.run("status", "--json"))


@pytest.fixture(scope="session")
def first(before: dict[str, Any], project: CommandLine, metrics_file: Path) -> FirstRun:
    """The first run, with everything switched on."""
    project.environment["METRICS_FILE"] = str(metrics_file)
    done = project.run("--json", LOG_FORMAT="json")
    assert done.returncode == 0, done.stderr
    log = (project.folder / LOG).read_text("utf-8")
    return FirstRun(read_document(done), done.stderr, log, metrics_file.read_text("utf-8"))


@pytest.fixture(scope="session")
def query(first: FirstRun, address: Address) -> Iterator[Query]:
    with querying(address) as run:
        yield run


@pytest.fixture
def without_sales(
    first: FirstRun, servers: embedded.Servers
) -> Callable[[], AbstractContextManager[None]]:
    """A time in which the source has no table `sales`, so that a run fails."""

    @contextmanager
    def renamed() -> Iterator[None]:
        with operational_connection(servers.operational_root, "sales") as root:
            root.cursor().execute("rename table sales to sales_elsewhere")
            try:
                yield
            finally:
                root.cursor().execute("rename table sales_elsewhere to sales")

    return renamed
