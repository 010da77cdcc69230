"""A project whose first run writes everything that programs read; the runs after it are short."""

from collections.abc import Iterator
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


@dataclass(frozen=True)
class FailedRun:
    """What a run wrote for which the source had no table `sales`, and what the next one wrote.

    The next one is of another table alone. `former` are the metrics before.
    """

    document: dict[str, Any]
    shown: str
    log: str
    former: str
    metrics: str
    metrics_of_the_next: str


@pytest.fixture(scope="session")
def failed(
    first: FirstRun, project: CommandLine, metrics_file: Path, servers: embedded.Servers
) -> FailedRun:
    log = project.folder / LOG
    dotenv = project.folder / ".env"
    dotenv.write_text("LOG_FORMAT=json\n", "utf-8")
    assert project.run("--quiet").stderr == ""
    former = metrics_file.read_text("utf-8")
    log.unlink()
    with operational_connection(servers.operational_root, "sales") as root:
        root.cursor().execute("rename table sales to sales_elsewhere")
        try:
            done = project.run("--quiet", "--json")
        finally:
            root.cursor().execute("rename table sales_elsewhere to sales")
            dotenv.unlink()
    found, logged = metrics_file.read_text("utf-8"), log.read_text("utf-8")
    next_one = project.run("--table", "mrr_dim_products")
    assert next_one.returncode == 0, next_one.stderr
    of_next = metrics_file.read_text("utf-8")
    return FailedRun(read_document(done), done.stderr, logged, former, found, of_next)
