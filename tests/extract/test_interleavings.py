"""Named schedules: the source changes at one exact moment of an extract, and nothing is lost.

The numbers are those of the schedules' catalogue. Each ends with undisturbed extracts: mirror and
source are equal, and the last one has nothing left to do.
"""

import time
from collections.abc import Iterator
from functools import partial

import psycopg2
import pytest

from commands.run.work import Report, RunOptions, run
from common.errors import AnotherRun, DeletesRefused, ServerError
from extract.compare import reconcile
from extract.compare.findings import Findings
from extract.mysql.reader import Reader
from extract.mysql.source import MySQLSource
from extract.mysql.table import MySQLTable
from operational.connection import connection as operational_connection
from tests.support.mirror import Mirror
from tests.support.schedules import ALL_BUT_THE_LAST_RANGE_COMPARED, OLD, Items, Query, Schedule
from tests.support.servers import OperationalDatabase
from warehouse.connection import connect, run_lock

SMALL, LARGE = 500, 2_500
"""Rows of a table that every run compares whole, and of one that it compares key by key."""
POINTS = ["read", "landed", "upserted", "reconciled", "applied"]
CHANGES = [
    "delete from items where id = 3",
    "insert into items (id, name) values (900, 'new')",
    f"update items set name = 'x', updated_at = {OLD} where id = 7",
]


@pytest.fixture
def schedule(monkeypatch: pytest.MonkeyPatch) -> Iterator[Schedule]:
    made = Schedule(monkeypatch)
    yield made
    assert made.acted == made.expected, "the extract never came to the moment of the schedule"


@pytest.fixture
def items(
    mirror: Mirror, operational: OperationalDatabase, query: Query, schedule: Schedule
) -> Items:
    """The table, not yet made."""
    mirror.limit(range_rows=100)
    return Items(mirror, operational, query)


@pytest.fixture(params=[SMALL, LARGE], ids=["compared whole", "compared by key"])
def either(request: pytest.FixtureRequest, items: Items) -> Items:
    """The table, mirrored, small and large."""
    items.rows = request.param
    items.create(items.rows)
    items.extract()
    return items


@pytest.fixture
def small(items: Items) -> Items:
    items.create(SMALL)
    items.extract()
    return items


@pytest.fixture
def large(items: Items) -> Items:
    items.create(LARGE)
    items.extract()
    return items


# 1
def test_row_changed_and_boundary_deleted_after_the_boundaries_were_read(
    items: Items, schedule: Schedule
) -> None:
    items.limit(rows_per_value=100)
    items.create(SMALL)
    items.source.execute("analyze table items")
    act = items.change(
        "update items set name = 'new' where id = 250", "delete from items where id in (100, 200)"
    )
    schedule.before(Reader, "_joined", act, call=2)
    assert items.extract().verification.is_equal
    assert (250, "new") in items.mirrored()
    assert not {(100, "item 100"), (200, "item 200")} & set(items.mirrored())
    items.check_settled()


# 2
def test_row_changed_after_the_digest_of_the_source_comes_in_the_next_run(
    small: Items, schedule: Schedule
) -> None:
    small.change(f"update items set name = 'first', updated_at = {OLD} where id = 30")()
    act = small.change(f"update items set name = 'second', updated_at = {OLD} where id = 130")
    schedule.before(reconcile, "mirror_digest", act, call=2)
    assert small.extract().verification.is_equal
    assert (30, "first") in small.mirrored()
    small.extract()
    assert (130, "second") in small.mirrored()
    small.check_settled()


# 3
@pytest.mark.parametrize(
    "change",
    [
        f"insert into items values (5000, 'new', {OLD})",
        "delete from items where id = 490",
        f"update items set name = 'new', updated_at = {OLD} where id = 490",
    ],
    ids=["inserted", "deleted", "updated"],
)
def test_row_changed_between_digest_and_list_is_brought_and_counted(
    small: Items, schedule: Schedule, change: str
) -> None:
    small.change(f"update items set name = 'x', updated_at = {OLD} where id = 480")()
    schedule.before(Findings, "compare_rows", small.change(change))
    verification = small.extract().verification
    assert small.mirrored() == small.at_source()
    assert verification.is_equal
    assert verification.source_rows == verification.mirror_rows == len(small.at_source())
    small.check_settled()


# 4
def test_row_deleted_between_list_and_fetch_is_not_kept(small: Items, schedule: Schedule) -> None:
    small.change(f"update items set name = 'x', updated_at = {OLD} where id in (7, 8)")()
    schedule.before(Findings, "_read_again", small.change("delete from items where id = 7"))
    outcome = small.extract()
    assert small.mirrored() == small.at_source()
    assert outcome.verification.is_equal
    assert outcome.applied.deleted == 1
    small.check_settled()


def test_rows_changed_while_a_bulk_of_differing_rows_is_fetched_are_as_they_were_then(
    small: Items, schedule: Schedule
) -> None:
    """So many differ that whole ranges are read again: rows come that were in no list."""
    small.limit(keys_per_statement=10)
    small.change(
        "delete from items where id = 9",
        f"update items set name = concat(name, '!'), updated_at = {OLD}",
    )()
    act = small.change(
        f"insert into items values (9, 'again', {OLD}), (5000, 'new', {OLD})",
        "delete from items where id = 10",
    )
    schedule.before(Findings, "_read_again", act)
    outcome = small.extract()
    assert {key for key, _ in small.mirrored()} ^ {key for key, _ in small.at_source()} <= {9, 5000}
    assert (10, "item 10!") not in small.mirrored()
    assert outcome.verification.is_equal
    small.check_settled()


# 5
def test_top_rows_deleted_during_the_run_are_gone_after_it(
    either: Items, schedule: Schedule
) -> None:
    schedule.at("upserted", either.change(f"delete from items where id > {either.rows - 150}"))
    assert either.extract().applied.deleted == 150
    assert either.mirrored() == either.at_source()
    either.check_settled()


# 6
def test_row_inserted_below_the_first_key_is_brought(either: Items, schedule: Schedule) -> None:
    schedule.at("upserted", either.change(f"insert into items values (-70, 'low', {OLD})"))
    either.extract()
    assert either.mirrored()[0] == (-70, "low")
    either.check_settled()


# 7
def test_row_inserted_above_the_last_key_during_the_last_range_is_brought(
    either: Items, schedule: Schedule
) -> None:
    """The last range has no end; LARGE has three scans of ten ranges, SMALL five digests."""
    name, last = ("digest", 5) if either.rows == SMALL else ("key_bitmaps", 3)
    act = either.change(f"insert into items values (999999, 'high', {OLD})")
    schedule.before(MySQLTable, name, act, call=last)
    either.extract()
    assert either.mirrored()[-1] == (999999, "high")
    either.check_settled()


# 8
def test_key_that_moves_to_an_earlier_range_and_back_is_in_no_place_twice(
    either: Items, schedule: Schedule
) -> None:
    name = "digest" if either.rows == SMALL else "key_bitmaps"
    key = either.rows - 10
    schedule.after(MySQLTable, name, either.change(f"update items set id = -1 where id = {key}"))
    back = either.change(f"update items set id = {key} where id = -1")
    schedule.at("reconciled", back)
    either.extract()
    assert not {-1, key} & {row[0] for row in either.mirrored()}
    either.check_settled()
    assert (key, f"item {key}") in either.mirrored()


# 9
@pytest.mark.parametrize("overlap", [600, 2], ids=["within the overlap", "longer than the overlap"])
def test_transaction_that_spans_the_window_is_brought_when_it_commits(
    small: Items, servers, overlap: int
) -> None:
    table = small.mirror.table("items", overlap_seconds=overlap)
    with operational_connection(servers.operational_root, small.source.name) as slow:
        slow.begin()
        with slow.cursor() as cursor:
            cursor.execute(
                "update items set name = 'slow', updated_at = now(6) - interval 5 second"
                " where id = 5"
            )
        small.mirror.extract_one(table)
        assert (5, "item 5") in small.mirrored()
        slow.commit()
    outcome = small.mirror.extract_one(table)
    assert (5, "slow") in small.mirrored()
    assert outcome.rows_read == (1 if overlap == 600 else 0)
    assert outcome.verification.late_rows == (0 if overlap == 600 else 1)
    small.check_settled()


# 10
def test_second_update_within_one_stamp_is_brought_by_the_next_window(
    large: Items, schedule: Schedule
) -> None:
    """No range with the row is due, so that nothing but the window can bring it."""
    large.change("update items set name = 'first', updated_at = '2036-01-01' where id = 5")()
    again = "update items set name = 'second', updated_at = '2036-01-01' where id = 5"
    schedule.at("read", large.change(again))
    large.query(ALL_BUT_THE_LAST_RANGE_COMPARED)
    large.extract()
    assert (5, "first") in large.mirrored()
    large.query(ALL_BUT_THE_LAST_RANGE_COMPARED)
    assert large.extract().applied.updated == 1
    assert (5, "second") in large.mirrored()
    large.check_settled()


# 11
@pytest.mark.parametrize("change", ["truncate items", "delete from items"])
def test_table_emptied_between_ranges_changes_nothing(
    either: Items, schedule: Schedule, change: str
) -> None:
    name = "digest" if either.rows == SMALL else "key_bitmaps"
    either.change("create table kept as select * from items")()
    schedule.after(MySQLTable, name, either.change(change))
    (outcome,) = either.mirror.extract(either.table, snapshot_seconds=0)
    assert isinstance(outcome.error, DeletesRefused)
    assert len(either.mirrored()) == either.rows
    either.change("insert into items select * from kept")()
    either.check_settled()


@pytest.mark.parametrize("change", ["truncate items", "delete from items where id % 10 <> 0"])
def test_mass_delete_between_batches_is_held_back_as_one(
    large: Items, schedule: Schedule, change: str
) -> None:
    """Each batch loses fewer rows than the guard lets through, all of them together more."""
    large.limit(ranges_per_batch=4)
    large.query("update mrr_state.key_range set compared_at = null")
    large.change("create table kept as select * from items")()
    schedule.at("batch compared", large.change(change))
    (outcome,) = large.mirror.extract(large.table, snapshot_seconds=0)
    assert isinstance(outcome.error, DeletesRefused)
    assert len(large.mirrored()) >= (LARGE if change == "truncate items" else LARGE - 1000)
    large.check_log()
    large.change("replace into items select * from kept")()
    large.check_settled()


# 12
def test_table_swapped_between_description_and_read_is_read_anew(
    small: Items, schedule: Schedule
) -> None:
    """The cut-over of an online schema change: the new table has another column."""
    swap = small.change(
        f"create table shadow as select *, 'g' as grade from items where id <= {SMALL - 20}",
        "alter table shadow add primary key (id)",
        "rename table items to old, shadow to items",
    )
    schedule.after(MySQLSource, "describe", swap)
    assert small.extract().verification.is_equal
    assert small.query("select count(*), max(grade) from mrr.items") == [(SMALL - 20, "g")]
    small.check_settled()


# 13
def test_column_added_between_list_and_fetch_is_read_anew(small: Items, schedule: Schedule) -> None:
    small.change(f"update items set name = 'x', updated_at = {OLD} where id = 7")()
    schedule.before(
        Findings, "_read_again", small.change("alter table items add grade int default 3")
    )
    assert small.extract().verification.is_equal
    assert small.query("select count(*), min(grade) from mrr.items") == [(SMALL, 3)]
    small.check_settled()


# 14
@pytest.mark.parametrize("rows", [SMALL, LARGE], ids=["compared whole", "compared by key"])
def test_partition_dropped_during_the_run_is_gone_after_it(
    items: Items, schedule: Schedule, rows: int
) -> None:
    items.create(
        rows, "partition by range (id) (partition a values less than (101), partition b values"
        " less than maxvalue)"
    )  # fmt: skip
    items.extract()
    schedule.at("upserted", items.change("alter table items drop partition a"))
    assert items.extract().verification.is_equal
    assert len(items.mirrored()) == rows - 100
    items.check_settled()


# 16
def test_second_run_is_turned_away_at_every_moment_of_the_first(
    small: Items, schedule: Schedule
) -> None:
    endpoints = small.mirror.endpoints

    def second() -> None:
        with pytest.raises(AnotherRun):
            run(endpoints, RunOptions([small.table]), Report())

    for point in POINTS:
        schedule.at(point, second)
    with run_lock(endpoints.warehouse) as lock:
        small.mirror.extract(small.table, check_lock=lock.check)
    small.check_settled()


# 17
@pytest.mark.parametrize("point", POINTS)
def test_warehouse_that_ends_our_connection_holds_all_of_a_table_or_nothing(
    small: Items, schedule: Schedule, point: str
) -> None:
    small.change(*CHANGES)()
    before = small.mirrored()
    pid = small.mirror.connection.info.backend_pid
    schedule.at(point, lambda: small.query("select pg_terminate_backend(%s, 5000)", (pid,)))
    with pytest.raises((ServerError, psycopg2.Error)):
        small.mirror.extract(small.table, snapshot_seconds=0)
    assert small.mirrored() == (small.at_source() if point == "applied" else before)
    small.check_log()
    small.mirror.connection = connect(small.mirror.endpoints.warehouse)
    small.check_settled()


# 18
def test_reader_sees_the_table_before_or_after_and_a_change_log_that_fits(
    small: Items, schedule: Schedule
) -> None:
    """What dbt would read, if somebody started it at any moment of the run."""
    small.change(*CHANGES)()
    before, seen = small.mirrored(), {}

    def look(point: str) -> None:
        seen[point] = small.mirrored()
        small.check_log()

    for point in POINTS:
        schedule.at(point, partial(look, point))
    small.extract()
    assert seen.pop("applied") == small.at_source()
    assert seen == dict.fromkeys(seen, before)
    small.check_settled()


# 19
def test_guard_that_trips_in_a_late_range_undoes_the_deletes_of_the_early_ones(
    large: Items, schedule: Schedule
) -> None:
    large.change(
        "create table kept as select * from items", "delete from items where id in (1, 101, 201)"
    )()
    schedule.before(
        MySQLTable, "key_bitmaps", large.change("delete from items where id > 1200"), call=2
    )
    (outcome,) = large.mirror.extract(large.table, snapshot_seconds=0)
    assert isinstance(outcome.error, DeletesRefused)
    assert outcome.error.deletes == 3 + LARGE - 1200
    assert len(large.mirrored()) == LARGE
    large.check_log()
    accepted = {"items": outcome.error.deletes}
    large.mirror.extract_one(large.table, accepted_deletes=accepted)
    deleted = "select count(*), count(distinct row_key) from mrr_state.change_log"
    assert large.query(f"{deleted} where operation = 'delete'") == [(1303, 1303)]
    large.check_settled()


# 20
@pytest.mark.parametrize("point", ["landed", "reconciled", "applied"])
def test_interrupt_leaves_nothing_half_done(small: Items, schedule: Schedule, point: str) -> None:
    small.change(*CHANGES)()
    before = small.mirrored()

    def interrupt() -> None:
        raise KeyboardInterrupt

    schedule.at(point, interrupt)
    with pytest.raises(KeyboardInterrupt):
        small.mirror.extract(small.table, snapshot_seconds=0)
    assert small.mirrored() == (small.at_source() if point == "applied" else before)
    assert small.query("select to_regnamespace('mrr_landing')") == [(None,)]
    assert list(small.mirror.folder.iterdir()) == []
    small.check_settled()


# what the code must keep to itself for all of this to hold
def test_one_statement_at_a_time_is_at_the_source(
    large: Items, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The source is asked one range ahead, on the connection that the differing rows come by."""
    real, busy, together = MySQLSource._fetch, [], []

    def fetch(self: MySQLSource, sql: str, *arguments: object) -> object:
        together.extend(busy)
        busy.append(sql)
        try:
            time.sleep(0.01)
            return real(self, sql, *arguments)
        finally:
            busy.remove(sql)

    large.change(f"update items set name = concat(name, '!'), updated_at = {OLD}")()
    large.query("update mrr_state.key_range set compared_at = null")
    monkeypatch.setattr(MySQLSource, "_fetch", fetch)
    large.extract()
    assert together == []
    assert large.mirrored() == large.at_source()
