"""Numeric cursors: a number beyond all others hides no change of a large table."""

from collections.abc import Callable

import pytest

from extract.declarations import MirroredTable
from tests.support.mirror import Mirror
from tests.support.servers import OperationalDatabase

Query = Callable[..., list[tuple]]
ROWS = 5000
OUTLIERS = {
    "one": ["99999999999999"],
    "near 2^64": ["18446744073709551615", "18446744073709551614"],
    "as many as may be": [str(10**15 + number) for number in range(100)],
}


@pytest.fixture
def large(operational: OperationalDatabase, mirror: Mirror) -> MirroredTable:
    """A table of which a run compares the rows of few ranges, whose cursor counts milliseconds."""
    mirror.limit(range_rows=100)
    mirror.limit(ranges_compared_whole=3)
    operational.execute(
        "create table items (id int primary key, name varchar(20), ms decimal(20, 0))"
    )
    operational.execute(
        f"insert into items select seq, 'old', unix_timestamp() * 1000 - ({ROWS} - seq) * 60000"
        f" from seq_1_to_{ROWS}"
    )
    table = mirror.table("items", cursor="ms")
    mirror.extract_one(table)
    assert mirror.extract_one(table).verification.compared_rows < ROWS
    return table


def change(operational: OperationalDatabase, row: int, name: str) -> None:
    operational.execute(
        "update items set name = %s, ms = floor(unix_timestamp(now(3)) * 1000) where id = %s",
        (name, row),
    )


@pytest.mark.parametrize("outliers", OUTLIERS.values(), ids=OUTLIERS)
def test_honest_change_after_outliers_is_in_the_next_run(
    operational: OperationalDatabase,
    mirror: Mirror,
    query: Query,
    large: MirroredTable,
    outliers: list[str],
) -> None:
    for row, number in enumerate(outliers, start=1):
        operational.execute(f"update items set ms = {number} where id = {row}")
    assert mirror.extract_one(large).verification.is_equal
    for row in (2500, 4999):
        change(operational, row, f"new {row}")
        outcome = mirror.extract_one(large)
        assert outcome.warning is None
        assert outcome.verification.repaired_rows == 0
        assert query(f"select name from mrr.items where id = {row}") == [(f"new {row}",)]
        assert outcome.rows_read < ROWS / 10
    operational.execute(f"delete from items where id <= {len(outliers)}")
    mirror.extract_one(large)
    change(operational, 3000, "last")
    outcome = mirror.extract_one(large)
    assert query("select name from mrr.items where id = 3000") == [("last",)]
    assert outcome.verification.repaired_rows == 0


def test_newest_row_with_an_outlier_and_a_negative_one_hide_nothing(
    operational: OperationalDatabase, mirror: Mirror, query: Query, large: MirroredTable
) -> None:
    operational.execute(f"insert into items values ({ROWS + 1}, 'newest', 99999999999999)")
    operational.execute("update items set ms = -5 where id = 17")
    mirror.extract_one(large)
    change(operational, 40, "honest")
    mirror.extract_one(large)
    assert query("select name from mrr.items where id = 40") == [("honest",)]


def test_more_outliers_than_may_be_are_named(
    operational: OperationalDatabase, mirror: Mirror, query: Query, large: MirroredTable
) -> None:
    operational.execute("update items set ms = 99999999999999 where id <= 150")
    (outcome,) = mirror.extract(large)
    assert outcome.error is None
    assert (
        'items: cursor column "ms" has 150 numbers far above all others, from 99999999999999 on'
        in outcome.warning
    )
    assert query("select status, error_message from dwh.run_log where status = 'warning'") == [
        ("warning", outcome.warning)
    ]


def test_first_load_names_more_outliers_than_may_be(
    operational: OperationalDatabase, mirror: Mirror
) -> None:
    operational.execute("create table items (id int primary key, version bigint)")
    operational.execute(
        "insert into items select seq, if(seq > 300, 900000000000 + seq, seq) from seq_1_to_450"
    )
    outcome = mirror.extract_one(mirror.table("items", cursor="version"))
    assert "has 150 numbers far above all others, from 900000000301 on" in outcome.warning


@pytest.mark.parametrize("unit", [1, 1_000, 1_000_000, 1_000_000_000], ids=str)
def test_number_that_is_a_time_is_read_back_as_far_as_a_time(
    operational: OperationalDatabase,
    mirror: Mirror,
    large: MirroredTable,
    unit: int,
) -> None:
    """A change that commits five minutes late, with the number of when it began."""
    mirror.limit(outliers=0)
    operational.execute(f"update items set ms = (unix_timestamp() - 86400 - id) * {unit}")
    operational.execute(f"update items set ms = unix_timestamp() * {unit} where id = 1")
    mirror.extract_one(large, full_refresh=True)
    operational.execute(
        f"update items set name = 'late', ms = (unix_timestamp() - 300) * {unit} where id = 4000"
    )
    outcome = mirror.extract_one(large)
    assert (outcome.applied.updated, outcome.verification.repaired_rows) == (1, 0)


@pytest.mark.parametrize(
    "never", ["2147483647", "4102444800", "253402300799", "9999999999999"], ids=str
)
def test_times_that_never_come_are_named_where_there_are_many(
    operational: OperationalDatabase, mirror: Mirror, never: str
) -> None:
    operational.execute("create table items (id int primary key, until_s bigint)")
    operational.execute(
        f"insert into items select seq, if(seq <= 150, {never}, unix_timestamp() - seq * 60)"
        " from seq_1_to_3000"
    )
    outcome = mirror.extract_one(mirror.table("items", cursor="until_s"))
    assert f"has 150 numbers far above all others, from {never} on" in outcome.warning


@pytest.mark.parametrize("outliers", [150, 2100], ids=str)
def test_counters_that_jumped_are_named_where_there_are_many(
    operational: OperationalDatabase, mirror: Mirror, outliers: int
) -> None:
    operational.execute("create table items (id int primary key, version bigint)")
    operational.execute(
        f"insert into items select seq, if(seq <= {outliers}, 500000000 + seq, seq)"
        " from seq_1_to_5000"
    )
    outcome = mirror.extract_one(mirror.table("items", cursor="version"))
    assert f"has {outliers} numbers far above all others, from 500000001 on" in outcome.warning


def test_clock_that_is_a_minute_ahead_keeps_its_overlap(
    operational: OperationalDatabase,
    mirror: Mirror,
    large: MirroredTable,
) -> None:
    mirror.limit(outliers=0)
    operational.execute("update items set ms = (unix_timestamp() + 60) * 1000 where id <= 150")
    mirror.extract_one(large)
    operational.execute(
        "update items set name = 'late', ms = (unix_timestamp() + 55) * 1000 where id = 4000"
    )
    outcome = mirror.extract_one(large)
    assert (outcome.applied.updated, outcome.verification.repaired_rows) == (1, 0)
