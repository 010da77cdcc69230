"""What stores: the pipeline, the mirror and its anomalies."""

import fcntl
import os
from dataclasses import replace
from pathlib import Path

import pytest

from commands.verify import verify_tables
from common import pause
from common.errors import DeletesRefused
from extract.landing import pipeline
from extract.mirror.table import Applied
from extract.mysql import types
from tests.sources.choice import only_mariadb
from tests.support.mirror import Mirror, Query
from tests.support.servers import OperationalDatabase


def test_landing_of_a_dead_run_is_cleared_before(items: Mirror, query: Query) -> None:
    query("create schema mrr_landing")
    query("create table mrr_landing.t1 (c1 text, c2 integer, left_over text not null)")
    query("insert into mrr_landing.t1 values ('9', 9, 'dead')")
    outcome = items.extract_one(items.table("items"), full_refresh=True)
    assert outcome.verification.source_rows == outcome.verification.mirror_rows == 3


def test_files_of_another_living_run_are_left_alone(items: Mirror) -> None:
    other = Path(items.folder) / "other"
    other.mkdir()
    lock = os.open(other, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    items.extract_one(items.table("items"))
    assert other.exists()
    os.close(lock)
    items.extract_one(items.table("items"))
    assert not other.exists()


@only_mariadb
def test_table_that_cannot_land_leaves_the_others_to_land(
    operational: OperationalDatabase,
    mirror: Mirror,
    query: Query,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # as when the first to be landed fails before the others are
    run = pipeline._run_pipeline
    monkeypatch.setattr(pipeline, "_run_pipeline", lambda to, tables, at: run(to, tables[:1], at))
    rule = replace(types.RULE_OF["uuid"], postgres=lambda facts: "integer")
    monkeypatch.setitem(types.RULE_OF, "uuid", rule)
    operational.execute("create table bad (id int primary key, v uuid)")
    operational.execute("insert into bad values (1, uuid())")
    for name in ("good", "fine"):
        operational.execute(f"create table {name} (id int primary key, v int)")
        operational.execute(f"insert into {name} values (1, 7)")
    bad, good, fine = mirror.extract(
        *(mirror.table(name, cursor=None) for name in ("bad", "good", "fine"))
    )
    assert "could not be landed" in str(bad.error)
    assert (good.error, fine.error) == (None, None)
    assert query("select * from mrr.good union all select * from mrr.fine") == [(1, 7), (1, 7)]


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        ("delete from mrr_landing.t1 where c1 = 2", "2 landed with 2 different keys"),
        ("update mrr_landing.t1 set c1 = 1 where c1 = 2", "3 landed with 2 different keys"),
    ],
    ids=["row lost", "key twice"],
)
def test_landing_that_is_not_what_was_read_is_not_applied(
    items: Mirror, query: Query, monkeypatch: pytest.MonkeyPatch, harm: str, told: str
) -> None:
    query("update mrr.items set a = 'as it was'")
    monkeypatch.setattr(pause, "hold", lambda point: query(harm) if point == "landed" else None)
    (outcome,) = items.extract(items.table("items"), full_refresh=True)
    assert f"3 rows were read, {told}" in str(outcome.error)
    assert query("select distinct a from mrr.items") == [("as it was",)]


def test_null_becomes_a_value_and_a_value_null(
    items: Mirror, operational: OperationalDatabase, query: Query
) -> None:
    operational.execute("update items set a = '', n = 0, updated_at = now(6) where id = 2")
    operational.execute("update items set a = null, n = null, updated_at = now(6) where id = 3")
    outcome = items.extract_one(items.table("items"))
    assert (outcome.applied.updated, outcome.verification.repaired_rows) == (2, 0)
    assert query("select a, n from mrr.items where id > 1 order by id") == [("", 0), (None, None)]


def test_delete_takes_the_row_of_its_whole_key(
    operational: OperationalDatabase, mirror: Mirror, query: Query
) -> None:
    operational.execute("create table items (a int, b int, primary key (a, b))")
    operational.execute("insert into items values (1, 1), (1, 2), (2, 1)")
    table = mirror.table("items", key=("a", "b"), cursor=None)
    mirror.extract_one(table)
    operational.execute("delete from items where a = 1 and b = 1")
    mirror.extract_one(table)
    assert query("select * from mrr.items order by 1") == [(1, 2), (2, 1)]


def test_every_row_of_a_large_table_is_compared_after_a_retype(
    large: Mirror, operational: OperationalDatabase, query: Query
) -> None:
    """1e15 as a text is not the same text on both sides."""
    operational.execute("update items set v = 1e15, updated_at = updated_at where id = 777")
    query("update mrr_state.key_range set compared_at = null")
    large.extract_one(large.table("items"))
    operational.execute("alter table items modify v varchar(30)")
    large.extract_one(large.table("items"))
    assert query("select v from mrr.items where id = 777") == [("1e15",)]


@pytest.mark.parametrize(
    ("alters", "filled"),
    [
        (["add w int not null default 7"], ["w = 7"]),
        (["drop v"], ["v is null"]),
        (["drop v", "add v int not null default 7"], ["v is null", "v = 7"]),
    ],
    ids=["added", "dropped", "back again"],
)
def test_every_row_of_a_large_table_is_compared_once_after_an_alter(
    large: Mirror,
    operational: OperationalDatabase,
    query: Query,
    alters: list[str],
    filled: list[str],
) -> None:
    for alter, condition in zip(alters, filled, strict=True):
        operational.execute(f"alter table items {alter}")
        outcome = large.extract_one(large.table("items"))
        assert query(f"select count(*) from mrr.items where {condition}") == [(1500,)]
        assert outcome.verification.method.endswith("15 of 15 ranges")
    outcome = large.extract_one(large.table("items"))
    assert outcome.verification.method.endswith("1 of 15 ranges")


def test_retype_is_an_update_of_every_row(
    items: Mirror, operational: OperationalDatabase, query: Query
) -> None:
    query("truncate mrr_state.change_log")
    operational.execute("alter table items modify n bigint")
    assert items.extract_one(items.table("items")).applied == Applied(updated=3)
    assert query("select row_key, operation from mrr_state.change_log") == [(None, "load")]


def test_key_of_a_large_table_may_change(large: Mirror, operational: OperationalDatabase) -> None:
    operational.execute("alter table items add unique (no, id)")
    outcome = large.extract_one(large.table("items", key=("no", "id")))
    assert outcome.verification.is_equal


def test_verify_after_an_alter_names_the_column(
    items: Mirror, operational: OperationalDatabase
) -> None:
    operational.execute("alter table items modify n bigint")
    result = verify_tables(items.endpoints, [items.table("items")], False, {})
    assert 'column "n" is bigint at the source, integer in the mirror' in str(
        result.tables[0].error
    )


def bad_dates(operational: OperationalDatabase, name: str) -> None:
    operational.execute("set session sql_mode = ''")
    operational.execute(f"create table {name} (id int primary key, d date, e date)")
    operational.execute("set session sql_mode = 'ALLOW_INVALID_DATES'")
    operational.execute(f"insert into {name} values (1, '2024-02-30', '2024-02-31')")


def noted(query: Query) -> list[tuple]:
    return query(
        "select table_name, column_name, source_value from dwh.mirror_anomaly order by 1, 2"
    )


def test_anomalies_of_a_row_are_kept_column_by_column(
    operational: OperationalDatabase, mirror: Mirror, query: Query
) -> None:
    bad_dates(operational, "one")
    bad_dates(operational, "two")
    one, two = (mirror.table(name, cursor=None) for name in ("one", "two"))
    mirror.extract(one, two)
    operational.execute("update one set d = '2024-04-31', e = '2024-05-01'")
    mirror.extract_one(one)
    assert noted(query) == [
        ("one", "d", "2024-04-31"),
        ("two", "d", "2024-02-30"),
        ("two", "e", "2024-02-31"),
    ]


def test_anomaly_that_no_window_sees_is_noted(
    items: Mirror, operational: OperationalDatabase, query: Query
) -> None:
    operational.execute("set session sql_mode = ''")
    operational.execute("update items set d = 0, updated_at = updated_at where id = 2")
    items.extract_one(items.table("items"))
    assert noted(query) == [("items", "d", "0000-00-00")]


def swap_at(
    point: str,
    operational: OperationalDatabase,
    monkeypatch: pytest.MonkeyPatch,
    left: str,
    new: str = "z",
) -> list[str]:
    """Swap `items` for some of its rows with a new column, at a pause point's first time.

    Returns the points that are passed.
    """
    passed: list[str] = []

    def swap(passing: str) -> None:
        passed.append(passing)
        if passed.count(point) == 1 and passing == point:
            operational.execute(
                f"create table other as select *, 7 as {new} from items where {left}"
            )
            operational.execute("alter table other add primary key (id)")
            operational.execute(f"rename table items to without_{new}, other to items")

    monkeypatch.setattr(pause, "hold", swap)
    return passed


def test_table_swapped_after_its_last_comparison_is_left_to_the_next_run(
    items: Mirror, operational: OperationalDatabase, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed = swap_at("applied", operational, monkeypatch, left="id <> 2")
    items.extract_one(items.table("items"))
    assert (passed.count("applied"), query("select count(*) from mrr.items")) == (1, [(3,)])
    items.extract_one(items.table("items"))
    assert query("select id, z from mrr.items order by id") == [(1, 7), (3, 7)]


def test_table_swapped_before_it_is_committed_is_committed_once(
    items: Mirror, operational: OperationalDatabase, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed = swap_at("reconciled", operational, monkeypatch, left="id <> 2")
    items.extract_one(items.table("items"))
    assert (passed.count("reconciled"), passed.count("applied")) == (2, 1)
    assert query("select id, z from mrr.items order by id") == [(1, 7), (3, 7)]


def test_what_a_run_brings_in_two_reads_is_added_up(
    items: Mirror,
    operational: OperationalDatabase,
    query: Query,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    items.limit(ranges_compared_whole=0)
    operational.execute("insert into items (id, updated_at) values (4, now(6)), (5, now(6))")
    operational.execute("delete from items where id = 1")
    swap_at("applied", operational, monkeypatch, left="id <> 2")
    outcome = items.extract_one(items.table("items"))
    assert outcome.applied == Applied(2, 3, 2)
    assert query(
        "select inserted, updated, deleted from dwh.mirror_verification"
        " order by checked_from desc limit 1"
    ) == [(2, 3, 2)]


def test_deletes_are_accepted_once_of_a_table_that_is_read_twice(
    items: Mirror,
    operational: OperationalDatabase,
    query: Query,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    items.limit(deletes=0, ranges_compared_whole=0)
    operational.execute("delete from items where id = 1")
    swap_at("applied", operational, monkeypatch, left="true")
    items.extract_one(items.table("items"), accepted_deletes={"items": 1})
    assert query("select id from mrr.items order by id") == [(2,), (3,)]
    operational.execute("insert into items (id, z) values (1, 7)")
    items.extract_one(items.table("items"))
    operational.execute("delete from items where id = 1")
    swap_at("applied", operational, monkeypatch, left="id <> 2", new="zz")
    (outcome,) = items.extract(items.table("items"), accepted_deletes={"items": 1})
    assert isinstance(outcome.error, DeletesRefused)
    assert query("select id from mrr.items order by id") == [(2,), (3,)]


def test_deletes_accepted_of_the_second_read_do_not_count_for_the_guard(
    items: Mirror,
    operational: OperationalDatabase,
    query: Query,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    items.limit(deletes=1, ranges_compared_whole=0)
    operational.execute("insert into items (id) values (4)")
    items.extract_one(items.table("items"))
    operational.execute("delete from items where id = 1")
    swap_at("applied", operational, monkeypatch, left="id = 4")
    items.extract_one(items.table("items"), accepted_deletes={"items": 2})
    assert query("select id from mrr.items") == [(4,)]
    assert query("select deletes from mrr_state.accepted_deletes") == [(2,)]


@only_mariadb
def test_json_of_the_source_keeps_its_text(
    operational: OperationalDatabase,
    mirror: Mirror,
    query: Query,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the rule of MySQL's JSON, under which MariaDB's, a LONGTEXT, is read here."""
    monkeypatch.setitem(types.RULE_OF, "longtext", types.RULE_OF["json"])
    text = '{"b": 1,  "a": 2.50, "a": "é"}'
    operational.execute("create table items (id int primary key, v json)")
    operational.execute("insert into items values (1, %s)", (text,))
    mirror.extract_one(mirror.table("items", cursor=None))
    assert query("select v::text from mrr.items") == [(text,)]
    outcome = mirror.extract_one(mirror.table("items", cursor=None))
    assert (outcome.applied.rows, outcome.verification.is_equal) == (0, True)
