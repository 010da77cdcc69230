"""A bulk load that was killed goes on where it was, or begins anew where it must."""

import threading
from contextlib import closing

import psycopg2
import pytest

from extract.landing.bulk import BulkLoad
from extract.mysql.source import MySQLSource
from tests.support.bulk import (
    PER_RANGE,
    ROWS,
    Killed,
    Query,
    contents,
    extract_until_killed,
    ignored,
    kill_at,
)
from tests.support.mirror import Mirror
from tests.support.servers import OperationalDatabase
from warehouse.connection import connect
from warehouse.upgrade import MIGRATIONS


@pytest.mark.parametrize("landed", [1, 4, 9])
def test_killed_load_goes_on_where_it_was(
    large: Mirror,
    operational: OperationalDatabase,
    query: Query,
    monkeypatch: pytest.MonkeyPatch,
    ranges_read: list[str],
    landed: int,
) -> None:
    extract_until_killed(monkeypatch, large, large.table("items"), landed=landed)
    assert query("select to_regclass('mrr.items')") == [(None,)]
    assert query("select count(*) from mrr_state.bulk_range") == [(landed,)]
    (read_at,) = query("select read_at from mrr_state.bulk_load")[0]
    before = set(ranges_read[:landed])
    ranges_read.clear()
    outcome = large.extract_one(large.table("items"))
    assert outcome.mark.read_at == read_at
    assert not before & set(ranges_read)
    mirrored, at_source = contents(query, operational)
    assert mirrored == at_source


def test_range_that_was_copied_and_not_committed_is_copied_again(
    large: Mirror,
    operational: OperationalDatabase,
    query: Query,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(BulkLoad, "_record", die)
        with pytest.raises(Killed):
            large.extract(large.table("items"))
    assert query("select count(*) from mrr_state.bulk_range") == [(0,)]
    outcome = large.extract_one(large.table("items"))
    assert (outcome.rows_read, outcome.verification.repaired_rows) == (ROWS, 0)
    mirrored, at_source = contents(query, operational)
    assert mirrored == at_source


def test_range_whose_commit_was_not_answered_lands_once(
    large: Mirror, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    land_next = BulkLoad._land_next

    def lose_the_answer(self: BulkLoad, *known: object) -> bool:
        land_next(self, *known)
        raise psycopg2.OperationalError("the answer to COMMIT is lost")

    with monkeypatch.context() as patch:
        patch.setattr(BulkLoad, "_land_next", lose_the_answer)
        (outcome,) = large.extract(large.table("items"))
    assert "the connection is lost" in str(outcome.error)
    assert large.extract_one(large.table("items")).verification.is_equal
    assert query("select count(*), count(distinct id) from mrr.items") == [(ROWS, ROWS)]


def test_range_of_a_killed_run_that_commits_late_lands_once(
    large: Mirror, operational: OperationalDatabase, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract_until_killed(monkeypatch, large, large.table("items"), landed=1)
    ((number,),) = query("select bulk_load_id from mrr_state.bulk_load")
    with closing(connect(large.endpoints.warehouse)) as killed, killed.cursor() as cursor:
        killed.autocommit = False
        cursor.execute(
            f"insert into mrr_landing.bulk_{number} select id, 'item ' || id, -id, '2024-02-29',"
            f" '2020-01-01' from generate_series({PER_RANGE + 1}, {2 * PER_RANGE}) as id"
        )
        cursor.execute(
            "insert into mrr_state.bulk_range"
            " (bulk_load_id, range_number, up_to, row_count, suspects)"
            " values (%s, 2, array[%s], %s, '{}')",
            (number, str(2 * PER_RANGE), PER_RANGE),
        )
        threading.Timer(1, killed.commit).start()
        outcome = large.extract_one(large.table("items"))
    assert (outcome.rows_read, outcome.verification.repaired_rows) == (ROWS, 0)
    mirrored, at_source = contents(query, operational)
    assert mirrored == at_source


def test_load_whose_killed_run_does_not_end_is_left_to_the_next(
    large: Mirror, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract_until_killed(monkeypatch, large, large.table("items"), landed=1)
    large.limit(lock_wait="100ms")
    with closing(connect(large.endpoints.warehouse)) as killed, killed.cursor() as cursor:
        killed.autocommit = False
        cursor.execute(
            "insert into mrr_state.bulk_range"
            " (bulk_load_id, range_number, up_to, row_count, suspects)"
            " select bulk_load_id, 2, '{200}', 0, '{}' from mrr_state.bulk_load"
        )
        (outcome,) = large.extract(large.table("items"))
        assert "canceling statement due to lock timeout\nHINT: " in str(outcome.error)
        killed.rollback()
    assert large.extract_one(large.table("items")).verification.is_equal


def test_range_that_another_run_has_landed_is_not_landed_twice(
    large: Mirror, operational: OperationalDatabase, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if a run had lost its lock while it copied."""
    record, copied = BulkLoad._record, []

    def let_another_land(self: BulkLoad, *known: object) -> None:
        if not copied:
            copied.append(1)
            query(
                "insert into mrr_state.bulk_range"
                " (bulk_load_id, range_number, up_to, row_count, suspects)"
                " select bulk_load_id, 1, '{1}', 1, '{}' from mrr_state.bulk_load"
            )
        record(self, *known)

    with monkeypatch.context() as patch:
        patch.setattr(BulkLoad, "_record", let_another_land)
        (outcome,) = large.extract(large.table("items"))
    told = "items: another run has landed its ranges with number 1\nHINT: "
    assert str(outcome.error).startswith(told)
    assert query("select sum(row_count) from mrr_state.bulk_range") == [(1,)]


def test_landed_table_that_somebody_has_dropped_is_landed_anew(
    large: Mirror, operational: OperationalDatabase, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract_until_killed(monkeypatch, large, large.table("items"), landed=5)
    query("drop schema mrr_landing cascade")
    outcome = large.extract_one(large.table("items"))
    assert (outcome.rows_read, outcome.applied.inserted) == (ROWS, ROWS)
    mirrored, at_source = contents(query, operational)
    assert mirrored == at_source


def test_what_a_former_version_expected_and_did_not_land_is_read(
    large: Mirror, operational: OperationalDatabase, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It recorded a range beforehand, and set the time when it was copied."""
    extract_until_killed(monkeypatch, large, large.table("items"), landed=2)
    query("alter table mrr_state.bulk_range alter column landed_at drop not null")
    query(
        "insert into mrr_state.bulk_range select bulk_load_id, 3, '{300}', 100, '{}', null"
        " from mrr_state.bulk_load"
    )
    query((MIGRATIONS / "0014_landed_ranges.sql").read_text(encoding="utf-8"))
    assert large.extract_one(large.table("items")).verification.repaired_rows == 0
    mirrored, at_source = contents(query, operational)
    assert mirrored == at_source


@pytest.mark.parametrize(
    "change",
    [
        "alter table items add other int",
        "alter table items modify c2 varchar(50)",
        "update mrr_state.bulk_load set read_at = read_at - interval '25 hours'",
    ],
    ids=["new column", "new type", "a day ago"],
)
def test_load_of_a_table_that_is_another_one_by_now_begins_anew(
    large: Mirror,
    operational: OperationalDatabase,
    query: Query,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
) -> None:
    extract_until_killed(monkeypatch, large, large.table("items"), landed=3)
    (operational.execute if change.startswith("alter") else query)(change)
    known = query("select bulk_load_id from mrr_state.bulk_load")
    extract_until_killed(monkeypatch, large, large.table("items"), landed=1)
    assert query("select bulk_load_id from mrr_state.bulk_load") != known
    assert query("select count(*) from mrr_state.bulk_range") == [(1,)]
    large.extract_one(large.table("items"))
    mirrored, at_source = contents(query, operational)
    assert mirrored == at_source


def test_load_from_another_server_begins_anew(
    large: Mirror, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = []
    for server in ("one", "another"):
        with monkeypatch.context() as patch:
            named = property(lambda _, name=server: name, ignored)
            patch.setattr(MySQLSource, "identity", named, raising=False)
            kill_at(patch, "range landed", 2)
            with pytest.raises(Killed):
                large.extract(large.table("items"))
        known += query("select bulk_load_id from mrr_state.bulk_load")
    assert known[0] != known[1]
    assert query("select count(*) from mrr_state.bulk_range") == [(2,)]


def test_load_that_was_killed_at_its_end_reads_nothing_again(
    large: Mirror, query: Query, monkeypatch: pytest.MonkeyPatch, ranges_read: list[str]
) -> None:
    with monkeypatch.context() as patch:
        kill_at(patch, "read")
        with pytest.raises(Killed):
            large.extract(large.table("items"))
    ranges_read.clear()
    outcome = large.extract_one(large.table("items"))
    assert (outcome.rows_read, outcome.applied.inserted, ranges_read) == (ROWS, ROWS, [])
    assert outcome.verification.is_equal


def test_what_changed_between_a_kill_and_the_rest_is_brought(
    large: Mirror, operational: OperationalDatabase, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract_until_killed(monkeypatch, large, large.table("items"), landed=5)
    operational.execute("update items set c2 = 'hidden' where id = 7")
    operational.execute("delete from items where id in (8, 500, 501)")
    operational.execute("insert into items values (-5, 'low', 0, null, '2020-01-01')")
    assert large.extract_one(large.table("items")).verification.is_equal
    mirrored, at_source = contents(query, operational)
    assert mirrored == at_source


@pytest.mark.parametrize(
    ("ddl", "key"),
    [
        ("name varchar(20) collate utf8mb4_unicode_ci primary key", ("name",)),
        ("code varbinary(8) primary key", ("code",)),
        ("amount decimal(20,4) primary key", ("amount",)),
        ("day date, n bigint unsigned, primary key (day, n)", ("day", "n")),
    ],
    ids=["text", "bytes", "decimal", "date and number"],
)
def test_load_by_any_kind_of_key_goes_on_where_it_was(
    operational: OperationalDatabase,
    mirror: Mirror,
    query: Query,
    monkeypatch: pytest.MonkeyPatch,
    bulky: None,
    ddl: str,
    key: tuple[str, ...],
) -> None:
    values = {
        ("name",): "concat(if(seq % 2, 'É', 'e'), '''\\\\', seq)",
        ("code",): "unhex(lpad(hex(seq * 7919), 8, '0'))",
        ("amount",): "seq * 1.0001 - 300",
        ("day", "n"): "'2024-01-01' + interval seq % 9 day, 18446744073709551615 - seq",
    }
    operational.execute(f"create table items ({ddl})")
    operational.execute(f"insert into items select {values[key]} from seq_1_to_{ROWS}")
    operational.execute("analyze table items")
    table = mirror.table("items", key=key, cursor=None)
    extract_until_killed(monkeypatch, mirror, table, landed=4)
    outcome = mirror.extract_one(table)
    assert outcome.applied.inserted == outcome.rows_read == ROWS
    assert outcome.verification.is_equal


def test_values_that_cannot_be_held_are_noted_of_ranges_before_the_kill_too(
    large: Mirror, operational: OperationalDatabase, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    operational.execute("set session sql_mode = ''")
    operational.execute("update items set day = '0000-00-00' where id in (150, 950)")
    extract_until_killed(monkeypatch, large, large.table("items"), landed=4)
    large.extract_one(large.table("items"))
    assert query("select row_key, source_value from dwh.mirror_anomaly order by 1") == [
        ('{"id": 150}', "0000-00-00"),
        ('{"id": 950}', "0000-00-00"),
    ]
    assert query("select id from mrr.items where day is null order by 1") == [(150,), (950,)]


def test_landed_load_of_another_table_outlives_the_next_run(
    large: Mirror, operational: OperationalDatabase, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    operational.execute("create table others (id int primary key)")
    operational.execute("insert into others values (1), (2)")
    extract_until_killed(monkeypatch, large, large.table("items"), landed=4)
    large.extract_one(large.table("others", cursor=None))
    assert query(
        "select count(*) from pg_class where relnamespace = 'mrr_landing'::regnamespace"
        " and relkind = 'r'"
    ) == [(1,)]
    assert large.extract_one(large.table("items")).verification.is_equal


def test_full_refresh_begins_anew_after_a_kill(
    large: Mirror, operational: OperationalDatabase, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What had landed is older than what the runs between have brought."""
    large.extract_one(large.table("items"))
    extract_until_killed(monkeypatch, large, large.table("items"), full_refresh=True, landed=4)
    operational.execute("update items set c2 = 'newer', updated_at = now(6) where id < 50")
    large.extract_one(large.table("items"))
    assert query("select to_regnamespace('mrr_landing')") == [(None,)]
    outcome = large.extract_one(large.table("items"), full_refresh=True)
    assert (outcome.rows_read, outcome.applied.rows) == (ROWS, 0)
    mirrored, at_source = contents(query, operational)
    assert mirrored == at_source
