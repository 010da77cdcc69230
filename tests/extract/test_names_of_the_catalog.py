"""Names that the catalog's own collation takes for one another."""

from collections.abc import Callable

import pytest

from common.errors import TableError
from tests.support.mirror import Mirror
from tests.support.servers import OperationalDatabase

NAMESAKES = ["Items", "ITEMS", "îtems", "items_", "ítems"]


@pytest.fixture
def items(operational: OperationalDatabase, mirror: Mirror) -> Mirror:
    """A table `items`, and others that a collation may take for it."""
    ((folds_names,),) = operational.execute("select @@lower_case_table_names")
    if folds_names:
        pytest.skip("this server folds the names of tables")
    operational.execute("create table items (id int primary key, n int)")
    operational.execute("insert into items values (1, 10)")
    for number, name in enumerate(NAMESAKES):
        operational.execute(
            f"create table `{name}` (code varchar(9), id int, n varchar(9), unique (id, code))"
        )
        operational.execute(f"insert into `{name}` values ('x', {number}, 'y')")
    return mirror


def test_table_is_not_taken_for_its_namesake(
    items: Mirror, rows_of: Callable[[str], list[tuple]]
) -> None:
    items.extract_one(items.table("items", cursor=None))
    assert rows_of("items") == [(1, 10)]


@pytest.mark.parametrize("name", NAMESAKES)
def test_namesake_is_mirrored_as_itself(
    items: Mirror, rows_of: Callable[[str], list[tuple]], name: str
) -> None:
    items.extract_one(items.table("namesake", table=name, key=(), cursor=None))
    assert rows_of("namesake") == [("x", NAMESAKES.index(name), "y")]


@pytest.mark.parametrize("name", ["iTems", "items ", "itéms", "items\t", "itemß"])
def test_table_that_is_not_there_is_not_found_by_another_name(items: Mirror, name: str) -> None:
    (outcome,) = items.extract(items.table("items", table=name, cursor=None))
    assert isinstance(outcome.error, TableError)
    assert f"the source has no table {items.database}.{name} that" in str(outcome.error)


def test_key_of_a_namesake_is_no_key(items: Mirror) -> None:
    (outcome,) = items.extract(items.table("items", key=("id", "n"), cursor=None))
    assert "key (id, n) is not a unique, NOT NULL key of" in str(outcome.error)
    assert "Set `key` to a unique key of the table: id." in str(outcome.error)
