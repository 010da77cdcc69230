"""Embedded servers to stop, kill and move, and a home for others."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import embedded
from embedded import Servers


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home whose servers were started once; its name has a blank, and only its owner may enter
    the folder above it."""
    folder = tmp_path_factory.mktemp("private", numbered=True)
    folder.chmod(0o700)
    embedded.start(folder / "my servers")
    yield folder / "my servers"
    embedded.stop(folder / "my servers")


@pytest.fixture
def servers(home: Path) -> Servers:
    """The home's servers, up."""
    return embedded.start(home)


@pytest.fixture
def new_home(tmp_path: Path) -> Iterator[Path]:
    """A home that does not exist yet; whatever runs there is stopped in the end."""
    yield tmp_path / "servers"
    embedded.stop(tmp_path / "servers")
