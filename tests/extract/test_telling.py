"""The extract tells how far it is while it works, and of a table as soon as it is done."""

from collections.abc import Callable

import pytest

from commands.verify import Report, verify_tables
from extract.extraction import TableOutcome
from extract.mysql.table import MySQLTable
from extract.progress import Progress
from tests.support.mirror import Mirror
from tests.support.servers import OperationalDatabase

Query = Callable[..., list[tuple]]


@pytest.fixture
def large(operational: OperationalDatabase, mirror: Mirror) -> Mirror:
    """A table of 30 ranges, read in ranges of 100 rows."""
    mirror.limit(range_rows=100)
    mirror.limit(rows_per_value=100)
    operational.execute(
        "create table items (id int primary key, name varchar(100),"
        " updated_at timestamp(6) default '2020-01-01')"
    )
    operational.execute("insert into items (id, name) select seq, 'item' from seq_1_to_3000")
    operational.execute("analyze table items")
    return mirror


def of(told: list[Progress], action: str) -> list[tuple[int, int, str]]:
    return [(at.done, at.expected, at.unit) for at in told if at.action == action]


def test_table_is_told_as_soon_as_it_is_done(
    operational: OperationalDatabase, mirror: Mirror, query: Query
) -> None:
    tables = [mirror.table(f"t{number}", cursor=None) for number in range(4)]
    for table in tables:
        if table.name != "t2":
            operational.execute(f"create table {table.name} (id int primary key)")
    seen: list[tuple[str, bool, int]] = []

    def report(outcome: TableOutcome) -> None:
        ((done,),) = query("select count(*) from dwh.mirror_verification")
        seen.append((outcome.name, outcome.error is None, done))

    outcomes = mirror.extract(*tables, report=report)
    # what cannot be described is not read with the others, in one moment
    assert seen == [("t0", True, 1), ("t1", True, 2), ("t3", True, 3), ("t2", False, 3)]
    assert [outcome.name for outcome in outcomes] == ["t0", "t1", "t2", "t3"]
    assert query("select step, status from dwh.run_log order by log_id") == [
        ("t0", "success"),
        ("t1", "success"),
        ("t3", "success"),
        ("t2", "error"),
    ]


def test_table_that_is_read_again_is_told_once(
    operational: OperationalDatabase, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    operational.execute("create table items (id int primary key)")
    table, told = mirror.table("items", cursor=None), []
    check = MySQLTable.check_unchanged

    def once_altered(source: MySQLTable) -> None:
        monkeypatch.setattr(MySQLTable, "check_unchanged", check)
        operational.execute("alter table items add column more int")
        check(source)

    monkeypatch.setattr(MySQLTable, "check_unchanged", once_altered)
    mirror.extract(table, report=told.append)
    assert [(outcome.name, outcome.error) for outcome in told] == [("items", None)]


def test_each_range_is_told_as_it_is_read_and_compared(large: Mirror) -> None:
    told: list[Progress] = []
    large.extract_one(large.table("items"), report_progress=told.append)
    assert of(told, "begun") == [(1, 1, "tables"), (0, 1, "tables")]
    read = of(told, "read")
    assert len(read) >= 30 and read[-1][0] == 3000
    assert of(told, "compared")[-1] == (30, 30, "ranges")
    told.clear()
    large.extract_one(large.table("items"), report_progress=told.append)
    keys = of(told, "of keys compared")
    assert [done for done, _, _ in keys] == list(range(1, len(keys) + 1))
    compared = of(told, "compared")
    assert compared[-1][0] == compared[-1][1]


def test_batches_of_ranges_are_told_as_one(large: Mirror, query: Query) -> None:
    large.limit(ranges_per_batch=7)
    large.extract_one(large.table("items"))
    query("update mrr_state.key_range set compared_at = null")
    told: list[Progress] = []
    large.extract_one(large.table("items"), report_progress=told.append)
    ((ranges,),) = query("select count(*) from mrr_state.key_range")
    assert of(told, "compared") == [(n, ranges, "ranges") for n in range(1, ranges + 1)]


def test_rows_that_the_comparison_fetches_are_told(
    large: Mirror, operational: OperationalDatabase
) -> None:
    table = large.table("items", cursor=None)
    large.extract_one(table)
    operational.execute("update items set name = 'other' where id <= 1500")
    told: list[Progress] = []
    fetched = large.extract_one(
        large.table("items", cursor=None, verify_within_seconds=60), report_progress=told.append
    ).verification.fetched_rows
    assert fetched >= 0
    checked: list[Progress] = []
    verify_tables(
        large.endpoints,
        [table],
        repair=True,
        accepted_deletes={},
        report=Report(progress=checked.append),
    )
    assert of(told, "fetched") or of(checked, "fetched")
    assert of(checked, "compared")[-1] == (30, 30, "ranges")


@pytest.mark.parametrize(
    ("definition", "changes", "action"),
    [
        ("id set('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i') primary key", {}, "compared"),
        ("id int", {"key": ()}, "fetched"),
    ],
    ids=["a key of members", "no key"],
)
def test_table_without_ranges_is_told_by_its_rows(
    operational: OperationalDatabase, mirror: Mirror, definition: str, changes: dict, action: str
) -> None:
    operational.execute(f"create table items ({definition})")
    operational.execute("insert into items select seq from seq_1_to_500")
    told: list[Progress] = []
    mirror.extract_one(mirror.table("items", cursor=None, **changes), report_progress=told.append)
    assert of(told, action)[-1][0] == 500
    assert of(told, action)[-1][2] == "rows"
