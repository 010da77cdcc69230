"""Large tables are loaded in bulk: whole, in order, and seen at once or not at all."""

import pytest

from common import pause
from common.errors import ServerError
from extract.mysql.fields import Field
from extract.progress import Progress
from extract.reading import Way
from tests.support.bulk import PER_RANGE, ROWS, Query, contents
from tests.support.mirror import Mirror
from tests.support.servers import OperationalDatabase


def test_large_table_is_promoted_as_it_landed(
    large: Mirror, operational: OperationalDatabase, query: Query
) -> None:
    outcome = large.extract_one(large.table("items"))
    assert (outcome.rows_read, outcome.applied.inserted) == (ROWS, ROWS)
    assert outcome.verification.is_equal
    mirrored, at_source = contents(query, operational)
    assert mirrored == at_source
    assert query(
        "select attname, format_type(atttypid, atttypmod) from pg_attribute"
        " where attrelid = 'mrr.items'::regclass and attnum > 0 order by attnum"
    ) == [
        ("id", "integer"),
        ("c2", "text"),
        ("c1", "integer"),
        ("day", "date"),
        ("updated_at", "timestamp(6) with time zone"),
    ]
    assert query(
        "select pg_get_constraintdef(oid) from pg_constraint"
        " where conrelid = 'mrr.items'::regclass and contype = 'p'"
    ) == [("PRIMARY KEY (id)",)]
    assert query("select relpersistence from pg_class where oid = 'mrr.items'::regclass") == [
        ("p",)
    ]
    assert query("select to_regnamespace('mrr_landing')") == [(None,)]
    assert query("select count(*) from mrr_state.bulk_load") == [(0,)]


def test_table_that_is_made_anew_is_one_entry_of_the_change_log(
    large: Mirror, operational: OperationalDatabase, query: Query
) -> None:
    large.limit(bulk_rows=100)
    operational.execute("create table others (id int primary key)")
    operational.execute("insert into others values (1), (2)")
    small = large.table("others", cursor=None)
    large.extract_one(large.table("items"))
    large.extract_one(small)
    operational.execute("insert into others values (3)")
    large.extract_one(small)
    assert query(
        "select table_name, operation, row_key from mrr_state.change_log order by 1, 2"
    ) == [
        ("items", "load", None),
        ("others", "insert", {"id": 3}),
        ("others", "load", None),
    ]


def test_last_rows_that_are_fewer_than_land_at_a_time_land(large: Mirror) -> None:
    large.limit(checkpoint_bytes=20_000)
    outcome = large.extract_one(large.table("items"))
    assert (outcome.rows_read, outcome.verification.repaired_rows) == (ROWS, 0)


def test_row_that_is_lost_on_its_way_stops_the_load(
    large: Mirror, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = Field.line
    monkeypatch.setattr(Field, "line", lambda *known: f"nullif({line(*known)}, '2')")
    (outcome,) = large.extract(large.table("items"))
    told = "items: 100 rows were read, 99 were copied\nHINT: "
    assert str(outcome.error).startswith(told)
    assert query("select to_regclass('mrr.items')") == [(None,)]


def test_load_commits_nothing_without_the_run_lock(large: Mirror, query: Query) -> None:
    def lost() -> None:
        raise ServerError("warehouse", "the run lock is lost", "Start a run again.")

    (outcome,) = large.extract(large.table("items"), check_lock=lost)
    assert "the run lock is lost" in str(outcome.error)
    assert query("select count(*) from mrr_state.bulk_range") == [(0,)]


@pytest.mark.parametrize("is_bulky", [False, True])
def test_key_with_nul_stops_its_table_alone(
    operational: OperationalDatabase, mirror: Mirror, query: Query, is_bulky: bool
) -> None:
    mirror.limit(bulk_rows=1 if is_bulky else 10_000, checkpoint_bytes=1, rows_per_value=PER_RANGE)
    operational.execute("create table items (id varchar(9) collate utf8mb4_bin primary key)")
    operational.execute(
        f"insert into items select concat(1000 + seq, char(0)) from seq_1_to_{ROWS}"
    )
    operational.execute("create table others (id int primary key)")
    operational.execute("insert into others values (1)")
    operational.execute("analyze table items, others")
    tables = (mirror.table("items", cursor=None), mirror.table("others", cursor=None))
    items, others = mirror.extract(*tables)
    assert "has a value that PostgreSQL cannot represent" in str(items.error)
    assert others.verification.is_equal


def test_table_that_is_altered_while_it_is_loaded_is_loaded_anew(
    large: Mirror, operational: OperationalDatabase, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    alters = ["alter table items modify c1 decimal(10,2)", "update items set c1 = 7.5"]

    def alter(reached: str) -> None:
        while reached == "range landed" and alters:
            operational.execute(alters.pop(0))

    monkeypatch.setattr(pause, "hold", alter)
    assert large.extract_one(large.table("items")).verification.is_equal
    mirrored, at_source = contents(query, operational)
    assert mirrored == at_source


def test_full_refresh_of_a_large_table_is_seen_at_once_or_not_at_all(
    large: Mirror, operational: OperationalDatabase, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    large.extract_one(large.table("items"))
    before, _ = contents(query, operational)
    operational.execute("update items set c2 = 'hidden' where id % 10 = 0")
    operational.execute("delete from items where id = 1")
    seen = []
    query("begin isolation level repeatable read")
    query("select count(*) from mrr.items")

    def look(point: str) -> None:
        seen.append(contents(query, operational)[0])

    with monkeypatch.context() as patch:
        patch.setattr(pause, "hold", look)
        outcome = large.extract_one(large.table("items"), full_refresh=True)
    seen.append(contents(query, operational)[0])
    query("commit")
    assert len(seen) > ROWS // PER_RANGE
    assert seen == [before] * len(seen)
    assert (outcome.rows_read, outcome.applied.updated, outcome.applied.deleted) == (999, 100, 1)
    mirrored, at_source = contents(query, operational)
    assert mirrored == at_source


def test_mirrored_table_without_a_mark_is_compared_and_not_read_again(
    large: Mirror, operational: OperationalDatabase, query: Query
) -> None:
    """As it is while a model that was never built keeps the mark from advancing."""
    first = large.extract_one(large.table("items"), advance=False)
    operational.execute("update items set c2 = 'hidden' where id = 7")
    again = large.extract_one(large.table("items"), advance=False)
    assert (again.rows_read, again.applied.updated) == (0, 1)
    assert again.mark.high_water_mark == first.mark.high_water_mark
    mirrored, at_source = contents(query, operational)
    assert mirrored == at_source


def test_grants_that_the_owner_gives_to_every_mirrored_table_are_given(
    large: Mirror, query: Query
) -> None:
    query("alter default privileges in schema mrr grant select on tables to pg_monitor")
    query("alter default privileges in schema mrr grant select on tables to public")
    large.extract_one(large.table("items"))
    assert query(
        "select grantee, privilege_type from information_schema.table_privileges"
        " where table_schema = 'mrr' and grantee in ('pg_monitor', 'PUBLIC') order by 1"
    ) == [("PUBLIC", "SELECT"), ("pg_monitor", "SELECT")]


def test_progress_is_told(large: Mirror) -> None:
    told: list[Progress] = []
    large.extract_one(large.table("items"), report_progress=told.append)
    landed = [at for at in told if at.action == "landed" and at.unit == "rows"]
    # beyond the greatest key there are no rows
    assert [at.done for at in landed] == [*range(0, ROWS + 1, PER_RANGE), ROWS]
    assert landed[-1].expected == pytest.approx(ROWS, rel=0.2)


def test_table_that_is_empty_after_all_is_made(
    operational: OperationalDatabase, mirror: Mirror, query: Query
) -> None:
    mirror.limit(bulk_rows=0)
    operational.execute("create table items (id int primary key, a int)")
    assert mirror.extract_one(mirror.table("items", cursor=None)).verification.is_equal
    assert query("select * from mrr.items") == []


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("date", "0000-00-00"),
        ("date", "0000-02-03"),
        ("date", "2024-00-15"),
        ("date", "2024-02-00"),
        ("date", "2023-02-31"),
        ("datetime(3)", "0000-00-00 00:00:00.000"),
        ("datetime", "2023-02-29 23:59:59"),
        ("timestamp", "0000-00-00 00:00:00"),
    ],
)
def test_date_that_does_not_exist_costs_only_itself(
    large: Mirror, operational: OperationalDatabase, query: Query, kind: str, value: str
) -> None:
    operational.execute(f"alter table items modify day {kind} null")
    operational.execute("set session sql_mode = 'ALLOW_INVALID_DATES'")
    operational.execute(f"update items set day = '{value}' where id in (1, 350, 1000)")
    large.limit(checkpoint_bytes=10_000)
    verification = large.extract_one(large.table("items")).verification
    assert (verification.is_equal, verification.repaired_rows) == (True, 0)
    assert query(
        "select row_key::jsonb ->> 'id', column_name, source_value from dwh.mirror_anomaly"
        " order by 1"
    ) == [(key, "day", value) for key in ("1", "1000", "350")]
    assert query("select id from mrr.items where day is null order by 1") == [(1,), (350,), (1000,)]


def test_table_of_few_large_rows_is_loaded_in_bulk(
    operational: OperationalDatabase, mirror: Mirror
) -> None:
    mirror.limit(bulk_bytes=200_000)
    operational.execute("create table items (id int primary key, body text)")
    operational.execute("insert into items select seq, repeat('x', 20000) from seq_1_to_20")
    operational.execute("analyze table items")
    outcome = mirror.extract_one(mirror.table("items", cursor=None))
    assert outcome.reading.way is Way.BULK
    assert outcome.verification.is_equal


@pytest.mark.parametrize("is_bulky", [False, True])
def test_key_that_is_too_long_for_postgresql_says_so(
    operational: OperationalDatabase,
    mirror: Mirror,
    is_bulky: bool,
) -> None:
    mirror.limit(bulk_rows=1 if is_bulky else 1_000)
    operational.execute("create table items (id varbinary(3000) primary key)")
    operational.execute("insert into items select random_bytes(1000) from seq_1_to_3")
    operational.execute("update items set id = concat(id, random_bytes(1000), random_bytes(1000))")
    operational.execute("analyze table items")
    (outcome,) = mirror.extract(mirror.table("items", cursor=None))
    assert "HINT: A key in PostgreSQL has at most about 2,700 bytes" in str(outcome.error)
