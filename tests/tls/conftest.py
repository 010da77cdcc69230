"""Servers with certificates of four kinds."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

import embedded
from tests.support.certificates import ELSEWHERE, Authority, Certificate
from tests.support.servers import new_warehouse
from tests.support.tls_front import tls_front
from tests.support.tls_servers import (
    SYSTEM_PROGRAMS,
    Secured,
    secured_mariadb,
    secured_postgresql,
)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="session")
def authority(folder: Path) -> Authority:
    """The authority that clients are told to trust."""
    return Authority(folder, "authority")


@pytest.fixture(scope="session")
def certificates(folder: Path, authority: Authority) -> dict[str, Certificate]:
    """A right one, and three that each have one thing wrong."""
    return {
        "right": authority.certificate("right"),
        "expired": authority.certificate("expired", expires_in=timedelta(seconds=-1)),
        "other name": authority.certificate("elsewhere", ELSEWHERE),
        "unknown authority": Authority(folder, "stranger").certificate("strange"),
    }


@pytest.fixture(scope="session")
def source(folder: Path, certificates: dict[str, Certificate]) -> Iterator[Secured]:
    """A MariaDB whose reader must use TLS."""
    home = folder / "mariadb"
    home.mkdir()
    with secured_mariadb(home, certificates["right"]) as secured:
        yield secured


@pytest.fixture(scope="session")
def front(servers: embedded.Servers, certificates: dict[str, Certificate]) -> Iterator[Secured]:
    """The embedded PostgreSQL, which has no TLS, behind something that decrypts for it."""
    with new_warehouse(servers) as address, tls_front(address, certificates["right"]) as front:
        yield Secured(front.reached, front.present)


@pytest.fixture(scope="session")
def own(folder: Path, certificates: dict[str, Certificate]) -> Iterator[Secured]:
    """The machine's PostgreSQL, whose clients must use TLS."""
    if not SYSTEM_PROGRAMS:
        pytest.skip("this machine has no PostgreSQL that was built with TLS")
    home = folder / "postgresql"
    home.mkdir()
    with secured_postgresql(home, certificates["right"]) as secured:
        yield secured


@pytest.fixture(params=["front", "own"])
def secured_warehouse(request: pytest.FixtureRequest) -> Secured:
    """A PostgreSQL that its clients must reach by TLS; each of both."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def one_warehouse(request: pytest.FixtureRequest) -> Secured:
    """The one of both that has more, if the machine has it."""
    return request.getfixturevalue("own" if SYSTEM_PROGRAMS else "front")
