"""A server with collections, and a warehouse. Without client and server, these do not start."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import embedded
from mongodb.extra import FOLDER, use_extra
from tests.mongodb.conftest import Collection, documents_project, documents_warehouse, empty
from tests.support.command_line import CommandLine

use_extra()

from tests.support.mongo_server import PROGRAM, MongoServer  # noqa: E402  (it needs the client)

if not PROGRAM.exists():
    pytest.exit("the server of these tests is missing: make test-mongodb", returncode=2)

__all__ = ["documents_project", "documents_warehouse", "empty"]


@pytest.fixture(scope="package")
def mongo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoServer]:
    """A server without accounts."""
    with MongoServer(tmp_path_factory.mktemp("mongo")) as server:
        yield server


@pytest.fixture
def command_line(
    empty: Collection, servers: embedded.Servers, documents_project: Path, mongo: MongoServer
) -> CommandLine:
    """Commands on the warehouse, with the collections of the server."""
    local = documents_project / ".local"
    local.mkdir(exist_ok=True)
    if not (local / "mongodb").exists():
        (local / "mongodb").symlink_to(FOLDER)
    made = CommandLine(documents_project, servers.operational, empty.address)
    made.environment |= {"DEMO_DOMAINS": "ewallet", "MONGODB_URI": mongo.uri()}
    return made
