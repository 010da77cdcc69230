"""ENUM and SET: values that show as '' and are not, and keys that are ordered by number."""

from collections.abc import Callable

import pytest

from common.errors import TableError
from extract.mysql.source import MySQLSource
from extract.source import Fields
from tests.support.mirror import Mirror, described_as_large
from tests.support.servers import OperationalDatabase

Query = Callable[..., list[tuple]]
NOTED = "select row_key, column_name, source_value, stored_value from dwh.mirror_anomaly order by 1"


@pytest.fixture(autouse=True)
def not_strict(operational: OperationalDatabase) -> None:
    """As old applications are: an invalid value becomes the number 0, with a warning."""
    operational.execute("set session sql_mode = ''")


def test_invalid_enum_value_is_noted_as_long_as_it_is_there(
    operational: OperationalDatabase, mirror: Mirror, query: Query
) -> None:
    operational.execute("create table items (id int primary key, size enum('s', 'm', 'l'))")
    operational.execute("insert into items values (1, 's'), (2, 'huge'), (3, null)")
    table = mirror.table("items", cursor=None)
    mirror.extract_one(table)
    assert query("select size from mrr.items order by id") == [("s",), ("",), (None,)]
    assert query(NOTED) == [('{"id": 2}', "size", "0", "")]
    operational.execute("update items set size = if(id = 2, 'm', 'huge') where id > 1")
    mirror.extract_one(table)
    assert query("select size from mrr.items order by id") == [("s",), ("m",), ("",)]
    assert query(NOTED) == [('{"id": 3}', "size", "0", "")]


def test_invalid_enum_value_and_the_empty_member_take_each_others_place(
    operational: OperationalDatabase, mirror: Mirror, query: Query
) -> None:
    operational.execute("create table items (id int primary key, size enum('s', ''))")
    operational.execute("insert into items values (1, ''), (2, 'huge'), (3, null)")
    table = mirror.table("items", cursor=None)
    mirror.extract_one(table)
    assert query("select size from mrr.items order by id") == [("",), ("\u2400",), (None,)]
    assert query(NOTED) == [('{"id": 2}', "size", "0", "\u2400")]
    assert mirror.extract_one(table).applied.rows == 0
    # no stamp tells of it, and the source's text of both is ''
    operational.execute("update items set size = if(id = 1, 0, 2) where id < 3")
    assert mirror.extract_one(table).applied.updated == 2
    assert query("select size from mrr.items order by id") == [("\u2400",), ("",), (None,)]
    assert query(NOTED) == [('{"id": 1}', "size", "0", "\u2400")]


def test_key_with_an_invalid_enum_value_is_mirrored_and_followed(
    operational: OperationalDatabase, mirror: Mirror, query: Query
) -> None:
    operational.execute("create table items (k enum('z', 'a', 'm') primary key, n int)")
    operational.execute("insert into items values ('?', 0), ('z', 1), ('a', 2), ('m', 3)")
    table = mirror.table("items", key=("k",), cursor=None)
    mirror.extract_one(table)
    assert query("select k from mrr.items order by n") == [("",), ("z",), ("a",), ("m",)]
    assert query(NOTED) == [('{"k": ""}', "k", "0", "")]
    operational.execute("update items set n = n + 10 where k = 0 or k = 'a'")
    operational.execute("delete from items where k = 'm'")
    outcome = mirror.extract_one(table)
    assert (outcome.applied.updated, outcome.applied.deleted) == (2, 1)
    assert query("select * from mrr.items order by k") == [("", 10), ("a", 12), ("z", 1)]


@pytest.mark.parametrize(
    ("kind", "odd"), [("enum('x', '')", "0"), ("set('x', '')", "2")], ids=["enum", "set"]
)
def test_key_that_shows_as_another_stops_the_table(
    operational: OperationalDatabase, mirror: Mirror, kind: str, odd: str
) -> None:
    operational.execute(f"create table items (k {kind} primary key)")
    operational.execute(f"insert into items values (1), ({odd})")
    (outcome,) = mirror.extract(mirror.table("items", key=("k",), cursor=None))
    assert isinstance(outcome.error, TableError)
    assert 'key column "k" has a value that PostgreSQL cannot represent: ' in str(outcome.error)


MANY_BITS = ", ".join(f"'m{(number * 37) % 64}'" for number in range(64))


@pytest.mark.parametrize(
    "kind", ["enum('z', 'a', 'm')", "set('z', 'a', 'm')", f"set({MANY_BITS})"], ids=str.split
)
@pytest.mark.parametrize("rows_per_range", [50, 7])
def test_key_of_members_is_read_in_ranges_whole(
    operational: OperationalDatabase,
    mirror: Mirror,
    kind: str,
    rows_per_range: int,
) -> None:
    operational.execute(f"create table items (k {kind}, n int, primary key (k, n))")
    for number in (0, 1, 2, 3) if "m63" not in kind else (0, 1, 2**63, 2**64 - 1, 2**63 + 5):
        operational.execute(f"insert into items select {number}, seq from seq_1_to_40")
    mirror.limit(rows_per_value=rows_per_range)
    source = MySQLSource(mirror.endpoints.operational)
    table = described_as_large(source, mirror.table("items", key=("k", "n"), cursor=None))
    chunks = list(source.table(table, mirror.limits).read(Fields(table.columns)))
    source.close()
    ((rows,),) = operational.execute("select count(*) from items")
    lines = [line for chunk in chunks for line in chunk.data.split(b"\n")]
    assert len(set(lines)) == len(lines) == rows
    assert max(chunk.rows for chunk in chunks) <= rows_per_range
