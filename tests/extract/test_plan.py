"""`plan` says of each table what a run then does, and reads and writes nothing."""

from collections.abc import Callable
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from commands.plan import PlannedTable, as_table, plan
from common.errors import DeletesRefused, ServerError
from extract.declarations import MirroredTable
from extract.reading import REFUSED, Way
from tests.support.command_line import CommandLine
from tests.support.mirror import Mirror
from tests.support.servers import OperationalDatabase

Query = Callable[..., list[tuple]]


def planned(mirror: Mirror, table: MirroredTable, full_refresh: bool = False) -> PlannedTable:
    (found,) = plan(mirror.endpoints, [table], full_refresh)
    assert found.error is None, str(found.error)
    return found


def shown(found: PlannedTable) -> str:
    """The row of the table as the command line shows it."""
    written = StringIO()
    Console(file=written, width=200).print(as_table([found]))
    return written.getvalue().splitlines()[-2]


@pytest.fixture
def items(operational: OperationalDatabase, mirror: Mirror) -> Mirror:
    operational.execute(
        "create table items (id int primary key, name text, version bigint,"
        " updated_at timestamp(6) default '2020-01-01')"
    )
    operational.execute(
        "insert into items (id, name, version) select seq, 'item', seq from seq_1_to_3000"
    )
    return mirror


@pytest.mark.parametrize(
    ("changes", "way", "says", "read"),
    [
        ({}, Way.WINDOW, "rows stamped since 20", 1),
        ({"cursor": "version"}, Way.WINDOW, "rows with version from 1900 on", 1102),
        ({"cursor": None}, Way.NOTHING, "nothing beforehand; fetches what differs", 0),
        ({"key": (), "cursor": None}, Way.MULTISET, "every row", 0),
    ],
    ids=["time", "number", "no cursor", "no key"],
)
def test_run_reads_what_plan_says(
    items: Mirror, operational: OperationalDatabase, changes: dict, way: Way, says: str, read: int
) -> None:
    table = items.table("items", **changes)
    first = planned(items, table)
    assert first.reading.way is (Way.MULTISET if not table.key else Way.WHOLE)
    assert "every row" in shown(first)
    items.extract_one(table)
    operational.execute("insert into items values (3001, 'new', 3001, now(6))")
    operational.execute("update items set name = 'hidden', updated_at = updated_at where id = 7")
    found = planned(items, table)
    assert found.reading.way is way
    assert says in shown(found)
    outcome = items.extract_one(table)
    assert (outcome.rows_read, outcome.reading.way) == (read, way)
    fetched = {Way.MULTISET: 3001, Way.NOTHING: 2, Way.WINDOW: read + 1}[way]
    assert outcome.verification.fetched_rows == fetched
    assert outcome.applied.rows == 2


def test_run_reads_every_row_where_plan_says_so(items: Mirror, query: Query) -> None:
    table = items.table("items")
    items.extract_one(table)
    refreshed = planned(items, table, full_refresh=True)
    assert (refreshed.reading.way, refreshed.reading.window.bound) == (Way.WHOLE, None)
    assert items.extract_one(table, full_refresh=True).rows_read == 3000
    query("drop table mrr.items")
    # somebody dropped the mirror: its mark says nothing
    assert planned(items, table).reading.way is Way.WHOLE
    items.limit(bulk_rows=100)
    assert planned(items, table).reading.way is Way.BULK
    assert "every row, in bulk" in shown(planned(items, table))
    assert items.extract_one(table).rows_read == 3000


def test_table_that_fails_says_how_it_was_read(
    items: Mirror, operational: OperationalDatabase
) -> None:
    items.extract_one(items.table("items"))
    operational.execute("delete from items")
    (held_back,) = items.extract(items.table("items"))
    assert isinstance(held_back.error, DeletesRefused)
    assert held_back.reading.way is Way.WINDOW
    no_key = items.table("items", key=("name",))
    (refused,) = items.extract(no_key)
    (foreseen,) = plan(items.endpoints, [no_key], False)
    assert refused.reading == foreseen.reading == REFUSED


def test_mark_of_another_column_is_no_bound(items: Mirror) -> None:
    items.extract_one(items.table("items"))
    found = planned(items, items.table("items", cursor="version"))
    assert found.reading.way is Way.NOTHING


def test_share_is_compared_where_plan_says_so(items: Mirror) -> None:
    items.limit(range_rows=100)
    table = items.table("items")
    assert "every row  " in shown(planned(items, table)) + "  "
    items.extract_one(table)
    found = planned(items, table)
    assert found.reading.compares_a_share
    assert "every key, some rows" in shown(found)
    assert items.extract_one(table).verification.compared_rows < 3000
    assert not planned(items, table, full_refresh=True).reading.compares_a_share
    assert items.extract_one(table, full_refresh=True).verification.compared_rows == 3000


def test_table_whose_key_is_another_now_is_planned_whole(
    items: Mirror, operational: OperationalDatabase
) -> None:
    items.limit(range_rows=100)
    items.extract_one(items.table("items"))
    operational.execute("alter table items modify version bigint not null, add unique (version)")
    operational.execute("alter table items add unique (id, version)")
    for key in (("version",), ("id", "version")):
        found = planned(items, items.table("items", key=key))
        assert not found.reading.compares_a_share
        compared = items.extract_one(items.table("items", key=key)).verification.compared_rows
        assert compared == 3000


def test_plan_writes_nothing(items: Mirror, query: Query) -> None:
    tables = query(
        "select format('%I.%I', schemaname, tablename) from pg_tables"
        " where schemaname in ('mrr', 'mrr_state', 'dwh') order by 1"
    )

    def everything() -> list[list[tuple]]:
        return [query(f"select * from {name} as held order by held") for (name,) in tables]

    before = everything()
    planned(items, items.table("items"))
    assert everything() == before
    assert query("select to_regclass('mrr.items')") == [(None,)]


def test_plan_of_a_warehouse_of_an_earlier_version_says_so(items: Mirror, query: Query) -> None:
    query("alter table dwh.high_water_mark drop column read_at cascade")
    with pytest.raises(ServerError, match="are those of an earlier version") as caught:
        planned(items, items.table("items"))
    assert "\nHINT: Start a run, which migrates them." in str(caught.value)


def test_table_that_cannot_be_mirrored_is_planned_with_its_error(items: Mirror) -> None:
    wrong, right = plan(
        items.endpoints,
        [replace(items.table("items"), name="wrong", table="nowhere"), items.table("items")],
        False,
    )
    assert "the source has no table" in str(wrong.error)
    assert "has no table" in shown(wrong)
    assert right.error is None


def test_plan_of_the_command_line_tells_each_table(command_line: CommandLine) -> None:
    done = command_line.run("plan")
    assert done.returncode == 0, done.stderr
    for name in ("mrr_fact_sales", "mrr_dim_customers", "mrr_dim_products"):
        assert name in done.stdout
    assert done.stdout.count("every row") == 6


def test_error_of_a_plan_is_told_with_its_remedy(command_line: CommandLine) -> None:
    (path,) = command_line.folder.glob("dbt_project/models/mrr/sales/*.yml")
    path.write_text(path.read_text("utf-8").replace("table: sales", "table: nowhere"), "utf-8")
    done = command_line.run("plan", "--table", "mrr_fact_sales")
    assert done.returncode == 1
    assert "mrr_fact_sales: the source has no table sales.nowhere" in done.stderr
    assert "\nHINT: Correct `operational_table`" in done.stderr
