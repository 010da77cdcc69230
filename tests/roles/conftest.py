"""A warehouse that a run has built with an account for each role."""

from collections.abc import Iterator

import pytest

from common.settings import Address
from embedded import Servers
from tests.support.command_line import CommandLine, copy_of_project
from tests.support.roles import as_roles, roles_in
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
