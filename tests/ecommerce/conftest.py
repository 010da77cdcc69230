"""Databases of the shop, with histories that end on a fixed day."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

import embedded
from operational.ecommerce.history import write_history
from operational.seed import create_tables
from tests.support.servers import OperationalDatabase, new_operational
from tests.support.shop import END, SCHEMA

CONSTRAINTS = re.compile(r",\n    (?:constraint|unique key) [^\n]*?(?=,?\n)")
NewShop = Callable[..., AbstractContextManager[OperationalDatabase]]


@pytest.fixture(scope="session")
def new_shop(servers: embedded.Servers) -> NewShop:
    """Makes a database with a history, whose schema has its constraints or not."""

    @contextmanager
    def made(size: int, seed: int = 1, is_checked: bool = True) -> Iterator[OperationalDatabase]:
        with new_operational(servers) as database, database.connection.cursor() as cursor:
            create_tables(cursor, SCHEMA if is_checked else CONSTRAINTS.sub("", SCHEMA))
            write_history(cursor, size, seed, END)
            database.connection.commit()
            yield database

    return made


@pytest.fixture(scope="module")
def shop(new_shop: NewShop) -> Iterator[OperationalDatabase]:
    """A shop of 300 orders, of which some are not delivered yet."""
    with new_shop(300) as database:
        yield database
