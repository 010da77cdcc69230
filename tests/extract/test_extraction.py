"""What a run brings into the mirror, and what it leaves alone."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from common.errors import DeletesRefused, TableError
from extract.mysql.types import RULE_OF
from tests.sources.choice import only_mariadb
from tests.support.mirror import Mirror
from tests.support.servers import OperationalDatabase

ITEMS = """
    create table items (
        id int primary key,
        name varchar(40),
        updated_at timestamp(6) not null
            default current_timestamp(6) on update current_timestamp(6)
    )
"""
THREE = "insert into items (id, name) values (1, 'a'), (2, 'b'), (3, 'c')"

Rows = Callable[[str], list[tuple]]


def names(rows: list[tuple]) -> dict[int, str]:
    return {row[0]: row[1] for row in rows}


def add_old(operational: OperationalDatabase, count: int) -> None:
    """Rows 1 … count, stamped long before any window."""
    operational.execute(ITEMS)
    operational.execute(
        f"insert into items select seq, concat('item ', seq), '2020-01-01' from seq_1_to_{count}"
    )


def test_first_run_mirrors_every_row_and_no_column_of_its_own(
    operational: OperationalDatabase, mirror: Mirror, query: Callable[..., list[tuple]]
) -> None:
    operational.execute(ITEMS)
    operational.execute(THREE)
    outcome = mirror.extract_one(mirror.table("items"))
    columns = query(
        "select column_name, data_type from information_schema.columns"
        " where table_schema = 'mrr' order by ordinal_position"
    )
    assert columns == [
        ("id", "integer"),
        ("name", "text"),
        ("updated_at", "timestamp with time zone"),
    ]
    assert outcome.applied.inserted == 3
    assert names(query("select * from mrr.items")) == {1: "a", 2: "b", 3: "c"}
    assert query("select table_name from information_schema.tables where table_schema = 'mrr'") == [
        ("items",)
    ]


def test_second_run_with_nothing_changed_applies_nothing(
    operational: OperationalDatabase, mirror: Mirror
) -> None:
    operational.execute(ITEMS)
    operational.execute(THREE)
    mirror.extract_one(mirror.table("items"))
    assert mirror.extract_one(mirror.table("items")).applied.rows == 0


def test_change_is_updated_and_deleted_row_is_gone(
    operational: OperationalDatabase,
    mirror: Mirror,
    rows_of: Rows,
    query: Callable[..., list[tuple]],
) -> None:
    operational.execute(ITEMS)
    operational.execute(THREE)
    mirror.extract_one(mirror.table("items"))
    query("truncate mrr_state.change_log")
    operational.execute("update items set name = 'B' where id = 2")
    operational.execute("delete from items where id = 3")
    outcome = mirror.extract_one(mirror.table("items"))
    assert (outcome.applied.updated, outcome.applied.deleted) == (1, 1)
    assert names(rows_of("items")) == {1: "a", 2: "B"}
    assert query("select row_key->>'id', operation from mrr_state.change_log order by 1") == [
        ("2", "update"),
        ("3", "delete"),
    ]


@pytest.mark.parametrize(
    ("stamp", "late_by"),
    [
        ("updated_at", datetime.now() - datetime(2020, 1, 1)),
        ("'1990-01-01'", datetime.now() - datetime(1990, 1, 1)),
        ("now(6) - interval 3 hour", timedelta(hours=3) - timedelta(minutes=10)),
    ],
    ids=["unchanged", "backward", "late"],
)
def test_change_that_its_stamp_hides_is_found_and_counted_late(
    operational: OperationalDatabase,
    mirror: Mirror,
    rows_of: Rows,
    query: Callable[..., list[tuple]],
    stamp: str,
    late_by: timedelta,
) -> None:
    add_old(operational, 5)
    mirror.extract_one(mirror.table("items"))
    operational.execute(f"update items set name = 'hidden', updated_at = {stamp} where id = 4")
    outcome = mirror.extract_one(mirror.table("items"))
    assert outcome.rows_read == 0
    assert outcome.verification.late_rows == 1
    assert abs(outcome.verification.late_by - late_by) < timedelta(days=1) / 20
    assert query("select late_by is not null from dwh.mirror_verification order by checked_to") == [
        (False,),
        (True,),
    ]
    assert outcome.verification.repaired_rows == 1
    assert names(rows_of("items"))[4] == "hidden"


def test_row_that_commits_after_the_read_with_an_older_stamp_is_in_the_next_window(
    operational: OperationalDatabase, mirror: Mirror, rows_of: Rows
) -> None:
    add_old(operational, 2)
    operational.connection.begin()
    with operational.connection.cursor() as cursor:
        cursor.execute("insert into items (id, name) values (9, 'slow')")
    mirror.extract_one(mirror.table("items"))
    operational.connection.commit()
    outcome = mirror.extract_one(mirror.table("items"))
    assert outcome.rows_read == 1
    assert outcome.verification.late_rows == 0
    assert names(rows_of("items"))[9] == "slow"


def test_stamp_in_the_future_does_not_hide_the_rows_after_it(
    operational: OperationalDatabase, mirror: Mirror
) -> None:
    add_old(operational, 2)
    operational.execute("insert into items values (7, 'future', '2037-01-01')")
    mirror.extract_one(mirror.table("items"))
    operational.execute("insert into items (id, name) values (8, 'now')")
    outcome = mirror.extract_one(mirror.table("items"))
    assert outcome.applied.inserted == 1
    assert outcome.verification.repaired_rows == 0


def test_mark_that_does_not_advance_is_read_from_again(
    operational: OperationalDatabase, mirror: Mirror
) -> None:
    add_old(operational, 3)
    table = mirror.table("items", overlap_seconds=0)
    mirror.extract_one(table)
    operational.execute("insert into items (id, name) values (9, 'new')")
    read = [mirror.extract_one(table, advance=advance).rows_read for advance in (False, True, True)]
    assert read == [1, 1, 0]


def test_table_without_a_cursor_or_a_mark_is_compared_and_not_read(
    operational: OperationalDatabase, mirror: Mirror, rows_of: Rows
) -> None:
    add_old(operational, 3)
    for table in (mirror.table("items", cursor=None), mirror.table("items")):
        mirror.extract_one(table, advance=False)
        operational.execute("update items set name = concat(name, '!') where id = 2")
        outcome = mirror.extract_one(table, advance=False)
        assert (outcome.rows_read, outcome.applied.updated) == (0, 1)
    assert names(rows_of("items"))[2] == "item 2!!"


def test_table_without_cursor_is_kept_equal(
    operational: OperationalDatabase, mirror: Mirror, rows_of: Rows
) -> None:
    add_old(operational, 3)
    table = mirror.table("items", cursor=None)
    mirror.extract_one(table)
    operational.execute("update items set name = 'x' where id = 1")
    operational.execute("delete from items where id = 2")
    mirror.extract_one(table)
    assert names(rows_of("items")) == {1: "x", 3: "item 3"}


def test_composite_and_text_keys_are_followed(
    operational: OperationalDatabase, mirror: Mirror, rows_of: Rows
) -> None:
    operational.execute(
        "create table places (country varchar(9), no int, name text, primary key (country, no))"
    )
    operational.execute("insert into places values ('be', 1, 'x'), ('BG', 1, 'y'), ('é\\'', 2, '')")
    table = mirror.table("places", key=("country", "no"), cursor=None)
    mirror.extract_one(table)
    operational.execute("delete from places where country = 'bg'")
    operational.execute("update places set country = 'BE', name = 'z' where country = 'be'")
    mirror.extract_one(table)
    assert rows_of("places") == [("BE", 1, "z"), ("é'", 2, "")]


def test_many_rows_are_read_in_ranges_without_loss(
    operational: OperationalDatabase, mirror: Mirror, query: Callable[..., list[tuple]]
) -> None:
    add_old(operational, 35_000)
    operational.execute("analyze table items")
    operational.execute("set session group_concat_max_len = 10000000")
    mirror.extract_one(mirror.table("items"))
    operational.execute("delete from items where id % 100 = 0")
    operational.execute("update items set id = -id where id % 7000 = 1")
    outcome = mirror.extract_one(mirror.table("items"))
    assert outcome.applied.deleted == 355
    assert query(
        "select count(*), sum(id), min(id), string_agg(name, ',' order by id) from mrr.items"
    ) == [
        operational.execute(
            "select count(*), sum(id), min(id), group_concat(name order by id) from items"
        )[0]
    ]


def test_truncated_source_is_refused_and_nothing_changes(
    operational: OperationalDatabase,
    mirror: Mirror,
    rows_of: Rows,
    query: Callable[..., list[tuple]],
) -> None:
    add_old(operational, 4)
    mirror.extract_one(mirror.table("items"))
    before = rows_of("items")
    operational.execute("truncate items")
    (outcome,) = mirror.extract(mirror.table("items"))
    assert isinstance(outcome.error, DeletesRefused)
    assert "4 of 4 mirrored rows are gone at the source, at most 0 may be deleted" in str(
        outcome.error
    )
    assert "--accept-deletes items=4" in str(outcome.error)
    assert rows_of("items") == before
    assert query("select row_key->>'id' from mrr_state.guard_candidate order by 1") == [
        (str(number),) for number in (1, 2, 3, 4)
    ]
    assert query("select status from dwh.run_log order by log_id desc limit 1") == [("refused",)]


def test_refused_deletes_hold_back_the_new_rows_too(
    operational: OperationalDatabase, mirror: Mirror, query: Callable[..., list[tuple]]
) -> None:
    add_old(operational, 3000)
    mirror.extract_one(mirror.table("items"))
    operational.execute("delete from items where id > 1500")
    operational.execute("insert into items (id, name) values (9999, 'new')")
    (outcome,) = mirror.extract(mirror.table("items"))
    assert outcome.error.deletes == 1500
    assert outcome.error.allowed == 1000
    assert query("select count(*), max(id) from mrr.items") == [(3000, 3000)]


def test_accepted_deletes_go_through_to_the_row(
    operational: OperationalDatabase, mirror: Mirror, query: Callable[..., list[tuple]]
) -> None:
    add_old(operational, 3000)
    table = mirror.table("items")
    mirror.extract_one(table)
    operational.execute("delete from items where id > 1500")
    (other,) = mirror.extract(table, accepted_deletes={"items": 1499})
    assert isinstance(other.error, DeletesRefused)
    mirror.extract_one(table, accepted_deletes={"items": 1500})
    assert query("select count(*), max(id) from mrr.items") == [(1500, 1500)]


def test_added_column_is_added_and_filled_for_old_rows_too(
    operational: OperationalDatabase, mirror: Mirror, query: Callable[..., list[tuple]]
) -> None:
    add_old(operational, 3)
    mirror.extract_one(mirror.table("items"))
    operational.execute("alter table items add column price decimal(9,2) not null default 1.50")
    mirror.extract_one(mirror.table("items"))
    assert query("select distinct price::text from mrr.items") == [("1.50",)]


def test_dropped_column_stays_and_is_null_from_then_on(
    operational: OperationalDatabase, mirror: Mirror, query: Callable[..., list[tuple]]
) -> None:
    add_old(operational, 3)
    mirror.extract_one(mirror.table("items"))
    operational.execute("alter table items drop column name")
    told = mirror.extract_one(mirror.table("items")).warning
    assert told.startswith('items: no longer at the source: "name"\nHINT: The mirror keeps')
    assert query("select id, name from mrr.items order by id") == [(1, None), (2, None), (3, None)]
    assert mirror.extract_one(mirror.table("items")).warning is None


def test_renamed_column_is_told_once_with_its_new_name(
    operational: OperationalDatabase, mirror: Mirror, query: Callable[..., list[tuple]]
) -> None:
    add_old(operational, 2)
    mirror.extract_one(mirror.table("items"))
    operational.execute("alter table items change column name `Title, long` varchar(80)")
    told = mirror.extract_one(mirror.table("items")).warning
    assert told.startswith(
        'items: no longer at the source: "name"; new there: "Title, long"\nHINT: '
    )
    logged = query("select status, error_message from dwh.run_log where step = 'items'")
    assert ("warning", told) in logged
    assert query('select name, count("Title, long") from mrr.items group by 1') == [(None, 2)]
    assert mirror.extract_one(mirror.table("items")).warning is None
    operational.execute("alter table items change column `Title, long` name varchar(80)")
    assert '"Title, long"' in mirror.extract_one(mirror.table("items")).warning


def test_one_bad_table_stops_alone(
    operational: OperationalDatabase, mirror: Mirror, query: Callable[..., list[tuple]]
) -> None:
    add_old(operational, 2)
    bad, good = mirror.extract(mirror.table("missing"), mirror.table("items"))
    assert isinstance(bad.error, TableError)
    assert good.error is None
    assert query("select step, status from dwh.run_log order by step") == [
        ("items", "success"),
        ("missing", "error"),
    ]


@pytest.mark.parametrize(
    ("ddl", "declared", "problem"),
    [
        ("create table t (id int primary key)", {"table": "u"}, "the source has no table"),
        (
            "create table t (id int primary key)",
            {},
            'cursor column "updated_at" is not in',
        ),
        (
            "create table t (id int primary key, updated_at text)",
            {},
            'cursor column "updated_at" is of type text',
        ),
        (
            "create table t (id int primary key)",
            {"key": ("no",), "cursor": None},
            'key column "no" is not in',
        ),
        (
            "create table t (id int primary key, no int not null)",
            {"key": ("no",), "cursor": None},
            "key (no) is not a unique, NOT NULL key of",
        ),
        (
            "create table t (id int, no text, unique (id, no(5)))",
            {"cursor": None},
            "key (id) is not a unique, NOT NULL key of",
        ),
        ("create view t as select 1 as id", {"cursor": None}, "is a view"),
        (
            "create table t (id int primary key) engine = MyISAM",
            {"cursor": None},
            "is kept by the engine MyISAM",
        ),
    ],
    ids=[
        "unknown table",
        "missing cursor",
        "cursor of another type",
        "missing key",
        "key that is not unique",
        "key of a prefix index",
        "view",
        "engine that blocks",
    ],
)
def test_table_that_cannot_be_mirrored_says_why(
    operational: OperationalDatabase, mirror: Mirror, ddl: str, declared: dict, problem: str
) -> None:
    operational.execute(ddl)
    (outcome,) = mirror.extract(mirror.table("t", **declared))
    text = str(outcome.error)
    assert problem in text
    assert text.startswith("t: ")
    assert "\nHINT: " in text


def test_type_without_a_rule_stops_its_table(
    operational: OperationalDatabase, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    # every type of today's servers has one
    monkeypatch.delitem(RULE_OF, "point")
    operational.execute("create table t (id int primary key, at point)")
    (outcome,) = mirror.extract(mirror.table("t", cursor=None))
    assert 't: column "at" is of type point, which has no rule\nHINT: ' in str(outcome.error)


@only_mariadb
def test_key_of_points_stops_its_table_and_says_so(
    operational: OperationalDatabase, mirror: Mirror
) -> None:
    operational.execute("create table t (at point primary key)")
    (outcome,) = mirror.extract(mirror.table("t", key=("at",), cursor=None))
    assert 'key column "at" is of type point\nHINT: A key is compared' in str(outcome.error)
