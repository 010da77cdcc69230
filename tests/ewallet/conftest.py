"""The e-wallet's database, which has just been made, and SQL in it."""

from collections.abc import Callable, Iterator

import pytest

import embedded
from operational.connection import connection
from operational.seed import seed

Ask = Callable[..., list[tuple]]


def remake(servers: embedded.Servers) -> None:
    with connection(servers.operational_root) as root:
        root.cursor().execute("drop database if exists ewallet")
    seed(servers, ["ewallet"])


@pytest.fixture(scope="module")
def application_of_module(servers: embedded.Servers) -> Iterator[Ask]:
    remake(servers)
    with connection(servers.operational_admin, "ewallet") as admin:

        def ask(statement: str, *values: object) -> list[tuple]:
            try:
                with admin.cursor() as cursor:
                    cursor.execute(statement, values or None)
                    return list(cursor.fetchall())
            finally:
                # no lock is left to whoever makes the tables anew
                admin.commit()

        yield ask
    with connection(servers.operational_root) as root:
        root.cursor().execute("drop database ewallet")


@pytest.fixture
def application(servers: embedded.Servers, application_of_module: Ask) -> Ask:
    """SQL of the application on the sample, as it is at first."""
    remake(servers)
    application_of_module("use ewallet")
    return application_of_module
