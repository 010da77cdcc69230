"""A warehouse that a run has built with an account for each role."""

from collections.abc import Iterator

import pytest

from commands.endpoints import Endpoints
from common.settings import Address
from embedded import Servers
from tests.support.command_line import CommandLine, copy_of_project
from tests.support.roles import as_roles, new_accounts, roles_in
from tests.support.servers import new_warehouse


@pytest.fixture(scope="session")
def built(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    """The command line of a project whose first run has built a warehouse."""
    folder = copy_of_project(tmp_path_factory.mktemp("roles") / "project")
    with new_warehouse(servers) as address:
        command_line = CommandLine(folder, servers.operational, address)
        as_roles(command_line, roles_in(servers, address))
        done = command_line.run()
        assert done.returncode == 0, done.stdout + done.stderr
        yield command_line


@pytest.fixture(scope="session")
def owner(built: CommandLine) -> Address:
    """The warehouse with the account of its owner."""
    return built.addresses[1]


@pytest.fixture(scope="session")
def roles(servers: Servers, owner: Address) -> dict[str, Address]:
    """The warehouse with the account of each role."""
    return roles_in(servers, owner)


@pytest.fixture(scope="module")
def own_target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Not the folder in which dbt keeps what it has parsed of the checkout."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DBT_TARGET_PATH", str(tmp_path_factory.mktemp("target")))
        yield


@pytest.fixture
def endpoints(servers: Servers) -> Iterator[Endpoints]:
    """A new database, and roles whose accounts do not exist yet."""
    with new_accounts(servers) as made:
        yield made
