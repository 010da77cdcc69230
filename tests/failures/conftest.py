"""A copy of the project that breaks, and is put in order after each test."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import embedded
from common.settings import Address
from tests.support.command_line import CommandLine, copy_of_project
from tests.support.held_command import HeldCommand


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project for all tests here, so that dbt need not parse it for each anew."""
    return copy_of_project(tmp_path_factory.mktemp("failures") / "project")


@pytest.fixture
def command_line(
    project: Path, servers: embedded.Servers, warehouse: Address
) -> Iterator[CommandLine]:
    yield CommandLine(project, servers.operational, warehouse)
    for name in (".local", ".env"):
        shutil.rmtree(project / name, ignore_errors=True)
        (project / name).unlink(missing_ok=True)


@pytest.fixture
def held(command_line: CommandLine, tmp_path: Path) -> Callable[..., HeldCommand]:
    return lambda point="read", **how: HeldCommand(command_line, tmp_path / "pause", point, **how)
