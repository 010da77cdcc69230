"""The source's table changes its shape, its key, its server, or its mind while it is read."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

import embedded
from common import pause
from extract.compare import findings
from extract.mirror.table import Applied, MirrorTable
from extract.mysql.source import MySQLSource
from operational.connection import connection
from tests.support.mirror import Mirror
from tests.support.servers import OperationalDatabase

Query = Callable[..., list[tuple]]


@pytest.fixture
def items(operational: OperationalDatabase, mirror: Mirror) -> Mirror:
    """Three mirrored rows, stamped long ago."""
    operational.execute(
        "create table items (id int primary key, v varchar(20), updated_at timestamp(6) null)"
    )
    operational.execute(
        "insert into items values (1, '10', '2020-01-01'), (2, 'x', '2020-01-01'), (3, null, null)"
    )
    mirror.extract_one(mirror.table("items"))
    return mirror


@pytest.mark.parametrize(
    ("ddl", "kind", "values"),
    [
        ("modify v text", "text", ["10", "x", None]),
        ("modify id bigint", "text", ["10", "x", None]),
        ("modify v varbinary(20)", "bytea", ["\\x3130", "\\x78", None]),
        ("drop v, add v int default 7", "integer", ["7", "7", "7"]),
        ("drop v, add v decimal(5,1) default 1", "numeric(5,1)", ["1.0", "1.0", "1.0"]),
    ],
    ids=["wider text", "wider key", "text to bytes", "text to number", "text to decimal"],
)
def test_type_of_a_column_is_followed(
    items: Mirror,
    operational: OperationalDatabase,
    query: Query,
    ddl: str,
    kind: str,
    values: list,
) -> None:
    operational.execute(f"alter table items {ddl}")
    outcome = items.extract_one(items.table("items"))
    assert outcome.verification.is_equal
    assert query(
        "select format_type(atttypid, atttypmod) from pg_attribute"
        " where attrelid = 'mrr.items'::regclass and attname = 'v'"
    ) == [(kind,)]
    assert query("select v::text from mrr.items order by id") == [(value,) for value in values]


def test_type_is_followed_under_the_staging_views(
    items: Mirror, operational: OperationalDatabase, query: Query
) -> None:
    query("create view stg.items as select id, v from mrr.items")
    query("create view stg.more as select * from stg.items")
    operational.execute("alter table items modify v varbinary(20)")
    items.extract_one(items.table("items"))
    assert query("select to_regclass('stg.items'), to_regclass('stg.more')") == [(None, None)]


def test_grants_on_the_staging_views_are_kept_for_those_that_dbt_makes(
    items: Mirror, operational: OperationalDatabase, query: Query
) -> None:
    query("create view stg.items as select id, v from mrr.items")
    query("grant select, update (v) on stg.items to pg_monitor")
    operational.execute("alter table items modify v varbinary(20)")
    items.extract_one(items.table("items"))
    assert query(
        "select restoring_statement from mrr_state.relation_property"
        " where relation_name = 'stg.items' order by 1"
    ) == [
        ("grant SELECT on stg.items to pg_monitor",),
        ("grant UPDATE (v) on stg.items to pg_monitor",),
    ]


@pytest.mark.parametrize(
    "resting",
    [
        "create function theirs() returns setof stg.items language sql"
        " as 'select * from stg.items'",
        "create function theirs() returns bigint language sql begin atomic"
        " select count(*) from stg.items; end",
        "create table theirs (item stg.items)",
    ],
    ids=["function of its rows", "function of its query", "column of its type"],
)
def test_what_rests_on_a_staging_view_keeps_the_table_as_it_is(
    items: Mirror, operational: OperationalDatabase, query: Query, resting: str
) -> None:
    query("create view stg.items as select id, v from mrr.items")
    query(f"set search_path = public; {resting}")
    operational.execute("alter table items modify v varbinary(20)")
    (outcome,) = items.extract(items.table("items"))
    assert "theirs" in str(outcome.error)
    assert (
        "keeps the mirror from following\nHINT: Drop it, start a run, and create it again"
        in str(outcome.error)
    )
    assert query("select count(*) from stg.items") == [(3,)]


def test_view_of_somebody_else_keeps_its_table_as_it_is(
    items: Mirror, operational: OperationalDatabase, query: Query
) -> None:
    query("create schema theirs")
    query("create view theirs.items as select id, v from mrr.items")
    operational.execute("alter table items modify v varbinary(20)")
    (outcome,) = items.extract(items.table("items"))
    assert 'the view "theirs.items" keeps the mirror from following' in str(outcome.error)
    assert query("select v from theirs.items order by id") == [("10",), ("x",), (None,)]


def test_renamed_column_is_a_new_one_and_the_old_stays_empty(
    items: Mirror, operational: OperationalDatabase, query: Query
) -> None:
    operational.execute("alter table items change v w varchar(20)")
    items.extract_one(items.table("items"))
    assert query("select v, w from mrr.items order by id") == [
        (None, "10"),
        (None, "x"),
        (None, None),
    ]


def test_declared_key_may_change(
    items: Mirror, operational: OperationalDatabase, query: Query
) -> None:
    operational.execute("alter table items add no int not null default 0")
    operational.execute("update items set no = 10 - id, updated_at = updated_at")
    operational.execute("alter table items add unique (no)")
    items.extract_one(items.table("items"))
    items.extract_one(items.table("items", key=("no",)))
    logged = "select operation, row_key from mrr_state.change_log order by change_id desc limit 1"
    # the entries before name rows by the other key
    assert query(logged) == [("load", None)]
    operational.execute("update items set id = 77 where no = 8")
    items.extract_one(items.table("items", key=("no",)))
    assert query("select id, no from mrr.items order by no") == [(3, 7), (77, 8), (1, 9)]
    assert query(logged) == [("update", {"no": 8})]


def test_numeric_cursor_reads_from_its_highest_value_less_the_overlap(
    operational: OperationalDatabase, mirror: Mirror, query: Query
) -> None:
    mirror.limit(outliers=0)
    operational.execute("create table items (id int primary key, version bigint)")
    operational.execute("insert into items select seq, seq * 10 from seq_1_to_500")
    table = mirror.table("items", cursor="version", overlap_values=100)
    mirror.extract_one(table)
    operational.execute("update items set version = 6000 where id = 3")
    outcome = mirror.extract_one(table)
    assert outcome.rows_read == 12
    assert outcome.applied.updated == 1
    assert outcome.verification.repaired_rows == 0
    assert outcome.mark.high_water_mark == "6000"


@pytest.mark.parametrize(
    ("before", "first", "after", "second"),
    [
        ("timestamp(6)", "now(6)", "bigint", "5"),
        ("bigint", "5", "datetime", "now()"),
        ("decimal(10,2)", "5.5", "bigint", "6"),
    ],
)
def test_cursor_that_becomes_another_kind_is_followed(
    operational: OperationalDatabase,
    mirror: Mirror,
    query: Query,
    before: str,
    first: str,
    after: str,
    second: str,
) -> None:
    operational.execute(f"create table items (id int primary key, c {before} null)")
    operational.execute(f"insert into items values (1, {first})")
    table = mirror.table("items", cursor="c")
    mirror.extract_one(table)
    operational.execute(f"alter table items drop c, add c {after} null")
    operational.execute(f"update items set c = {second}")
    assert mirror.extract_one(table).verification.is_equal
    operational.execute("insert into items values (2, null)")
    assert mirror.extract_one(table).applied.inserted == 1
    assert query("select count(*), count(c) from mrr.items") == [(2, 1)]


def test_full_refresh_forgets_a_number_that_is_gone(
    operational: OperationalDatabase, mirror: Mirror
) -> None:
    mirror.limit(outliers=0)
    operational.execute("create table items (id int primary key, version bigint)")
    operational.execute("insert into items values (1, 1), (2, 9000000000000000000)")
    table = mirror.table("items", cursor="version", overlap_values=0)
    mirror.extract_one(table)
    operational.execute("update items set version = 2 where id = 2")
    assert mirror.extract_one(table).mark.high_water_mark == "9000000000000000000"
    assert mirror.extract_one(table, full_refresh=True).mark.high_water_mark == "2"
    operational.execute("update items set version = 3 where id = 2")
    outcome = mirror.extract_one(table)
    assert (outcome.rows_read, outcome.verification.repaired_rows) == (1, 0)


def test_numeric_cursor_of_many_digits_loses_none_of_them(
    operational: OperationalDatabase, mirror: Mirror
) -> None:
    operational.execute("create table items (id int primary key, version decimal(40,0))")
    operational.execute("insert into items values (1, 1234567890123456789012345678900000000099)")
    table = mirror.table("items", cursor="version", overlap_values=1)
    mirror.extract_one(table)
    assert mirror.extract_one(table).rows_read == 1


def test_row_without_a_stamp_is_read_in_every_window(items: Mirror) -> None:
    assert items.extract_one(items.table("items")).rows_read == 1


def test_table_that_is_rebuilt_while_it_is_read_is_read_again(
    items: Mirror,
    operational: OperationalDatabase,
    query: Query,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    swaps = []

    def swap(point: str) -> None:
        if point == "upserted" and not swaps:
            swaps.append(point)
            operational.execute("create table other (id int primary key, w int)")
            operational.execute("insert into other values (8, 8)")
            operational.execute("rename table items to old, other to items")

    monkeypatch.setattr(pause, "hold", swap)
    operational.execute("delete from items where id > 1")
    outcome = items.extract_one(items.table("items", cursor=None))
    assert swaps == ["upserted"]
    assert outcome.verification.is_equal
    assert query("select id, w from mrr.items") == [(8, 8)]


@pytest.mark.parametrize("seconds", [2.0, 0.0], ids=["in a snapshot", "without one"])
@pytest.mark.parametrize("point", ["read", "upserted"])
def test_column_whose_type_changes_while_it_is_read_is_read_anew(
    items: Mirror,
    operational: OperationalDatabase,
    query: Query,
    monkeypatch: pytest.MonkeyPatch,
    point: str,
    seconds: float,
) -> None:
    operational.execute("alter table items add n int default 1")
    items.extract_one(items.table("items"))
    alters = ["alter table items modify n decimal(10,2)", "update items set n = 7.5"]

    def alter(reached: str) -> None:
        while reached == point and alters:
            operational.execute(alters.pop(0))

    monkeypatch.setattr(pause, "hold", alter)
    outcome = items.extract_one(items.table("items"), snapshot_seconds=seconds)
    assert outcome.verification.is_equal
    assert set(query("select n::text from mrr.items")) == {("7.50",)}


def test_mirror_that_is_not_equal_after_all_is_told(
    items: Mirror, operational: OperationalDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The statement is computed from what is stored, not from what was meant to be."""
    monkeypatch.setattr(MirrorTable, "delete", lambda *_: Applied())
    operational.execute("delete from items where id = 1")
    (outcome,) = items.extract(items.table("items"))
    assert outcome.verification.is_equal is False


def test_candidates_of_a_refusal_are_forgotten_when_the_table_is_good_again(
    items: Mirror, operational: OperationalDatabase, query: Query
) -> None:
    operational.execute("create table kept as select * from items")
    operational.execute("delete from items")
    items.extract(items.table("items"))
    assert query("select count(*) from mrr_state.guard_candidate") == [(3,)]
    operational.execute("insert into items select * from kept")
    items.extract_one(items.table("items"))
    assert query("select count(*) from mrr_state.guard_candidate") == [(0,)]


def test_mass_delete_in_small_steps_is_refused_too(
    operational: OperationalDatabase, mirror: Mirror, query: Query
) -> None:
    operational.execute("create table items (id int primary key)")
    operational.execute("insert into items select seq from seq_1_to_3000")
    table = mirror.table("items", cursor=None)
    mirror.extract_one(table)
    operational.execute("delete from items where id <= 600")
    mirror.extract_one(table)
    operational.execute("delete from items where id <= 1200")
    (outcome,) = mirror.extract(table)
    assert "600 of 2400 mirrored rows are gone at the source, at most 400 may be deleted" in str(
        outcome.error
    )
    mirror.extract_one(table, accepted_deletes={"items": 600})
    operational.execute("delete from items where id <= 1500")
    mirror.extract_one(table)
    assert query("select count(*) from mrr.items") == [(1500,)]


def test_deletes_are_counted_by_the_clock_that_stamped_them(
    operational: OperationalDatabase, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = MySQLSource.clock
    monkeypatch.setattr(MySQLSource, "clock", lambda session: real(session) - timedelta(hours=25))
    operational.execute("create table items (id int primary key)")
    operational.execute("insert into items select seq from seq_1_to_3000")
    table = mirror.table("items", cursor=None)
    mirror.extract_one(table)
    operational.execute("delete from items where id <= 900")
    mirror.extract_one(table)
    operational.execute("delete from items where id <= 1800")
    (outcome,) = mirror.extract(table)
    assert "100 may be deleted in 24 hours" in str(outcome.error)


def test_mirror_that_was_dropped_is_read_whole(
    items: Mirror, operational: OperationalDatabase, query: Query
) -> None:
    query("drop table mrr.items cascade")
    outcome = items.extract_one(items.table("items"))
    assert (outcome.rows_read, outcome.verification.repaired_rows) == (3, 0)


def test_limit_of_the_server_on_results_cuts_nothing(
    items: Mirror, servers: embedded.Servers, query: Query
) -> None:
    with connection(servers.operational_root, items.database) as root, root.cursor() as cursor:
        cursor.execute("set global sql_select_limit = 2")
        try:
            items.extract_one(items.table("items"))
        finally:
            cursor.execute("set global sql_select_limit = default")
    assert query("select count(*), count(updated_at) from mrr.items") == [(3, 2)]


def test_landing_leaves_nothing_behind(items: Mirror, query: Query) -> None:
    items.extract_one(items.table("items"), full_refresh=True)
    assert list(Path(items.folder).iterdir()) == []
    assert query("select to_regnamespace('mrr_landing')") == [(None,)]


def test_unchanged_rows_are_not_read_again(
    operational: OperationalDatabase, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both sides write the same text of every type, so that equal rows have equal digests."""
    operational.execute(
        "create table items (id int primary key, f float, d double, e double(10,2),"
        " z decimal(8,2) zerofill, t time(3), b bit(9), y year, n float)"
    )
    operational.execute(
        "insert into items values (1, 0.1, 1e15, 12.50, 7.5, '-01:02:03.5', 5, 2024, -0.0),"
        " (2, 3e38, 1e-7, -0.00, 0, '00:00:00', 0, 1999, 1e-30),"
        " (3, -1.5e-10, 123456789012345678, 99999999.99, 1, '838:59:59', 511, 0, 16777217),"
        " (4, 1e6, 1.7976931348623157e308, 0.01, 2, '10:00', 1, 2155, 1e-4),"
        " (5, 0.00001, 2.2250738585072014e-308, 1, 3, '10:00', 1, 2155, 123456.789)"
    )
    mirror.extract_one(mirror.table("items", cursor=None))
    read_again = []
    real = findings.Findings.compare_rows
    monkeypatch.setattr(
        findings.Findings,
        "compare_rows",
        lambda self, key_range: read_again.append(key_range) or real(self, key_range),
    )
    mirror.extract_one(mirror.table("items", cursor=None))
    assert read_again == []
