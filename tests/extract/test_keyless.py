"""Tables without a key are kept equal as bags of rows."""

from collections.abc import Callable

import pytest

from common.errors import DeletesRefused
from extract.mirror.table import Applied
from tests.support.mirror import Mirror
from tests.support.servers import OperationalDatabase

Query = Callable[..., list[tuple]]


@pytest.fixture
def bag(operational: OperationalDatabase, mirror: Mirror) -> Mirror:
    """A mirrored table with doubles, NULLs and empty strings."""
    operational.execute("create table notes (a int, b varchar(20))")
    operational.execute(
        "insert into notes"
        " values (1, 'x'), (1, 'x'), (1, 'x'), (null, ''), (null, null), (2, 'NULL')"
    )
    mirror.extract_one(mirror.table("notes", key=(), cursor=None))
    return mirror


def check_equal(operational: OperationalDatabase, query: Query) -> None:
    order = "order by a is null, a, b is null, b"
    assert query(f"select a, b from mrr.notes {order}") == list(
        operational.execute(f"select a, b from notes {order}")
    )


def test_copies_of_a_row_are_counted(
    bag: Mirror, operational: OperationalDatabase, query: Query
) -> None:
    check_equal(operational, query)
    operational.execute("delete from notes where a = 1 limit 1")
    operational.execute("insert into notes values (null, ''), (3, 'new')")
    operational.execute("update notes set b = null where a = 2")
    outcome = bag.extract_one(bag.table("notes", key=(), cursor=None))
    assert outcome.applied == Applied(inserted=1, updated=2)
    assert outcome.verification.is_equal
    check_equal(operational, query)
    assert bag.extract_one(bag.table("notes", key=(), cursor=None)).applied.rows == 0


def test_emptied_table_without_a_key_is_refused(
    bag: Mirror, operational: OperationalDatabase, query: Query
) -> None:
    operational.execute("delete from notes")
    (outcome,) = bag.extract(bag.table("notes", key=(), cursor=None))
    assert isinstance(outcome.error, DeletesRefused)
    assert query("select count(*) from mrr.notes") == [(6,)]
    bag.extract_one(bag.table("notes", key=(), cursor=None), accepted_deletes={"notes": 6})
    assert query("select count(*) from mrr.notes") == [(0,)]


def test_rows_too_wide_to_join_arrive_without_a_key_too(
    operational: OperationalDatabase, mirror: Mirror, query: Query
) -> None:
    operational.execute("create table wide (v longtext)")
    operational.execute("insert into wide values (repeat('é', 7000000)), ('small')")
    mirror.extract_one(mirror.table("wide", key=(), cursor=None))
    assert query(
        "select encode(sha256(convert_to(v, 'UTF8')), 'hex') from mrr.wide order by length(v)"
    ) == list(operational.execute("select sha2(v, 256) from wide order by length(v)"))


def test_large_table_without_a_key_is_refused(
    operational: OperationalDatabase, mirror: Mirror
) -> None:
    mirror.limit(keyless_rows=10)
    operational.execute("create table notes (a int)")
    operational.execute("insert into notes select seq from seq_1_to_500")
    operational.execute("analyze table notes")
    (outcome,) = mirror.extract(mirror.table("notes", key=(), cursor=None))
    assert "no key is declared, and" in str(outcome.error)


def test_retype_of_a_table_without_a_key_is_not_in_the_change_log(
    bag: Mirror, operational: OperationalDatabase, query: Query
) -> None:
    operational.execute("alter table notes modify a bigint")
    outcome = bag.extract_one(bag.table("notes", key=(), cursor=None))
    assert (outcome.applied.rows, outcome.verification.is_equal) == (0, True)
    check_equal(operational, query)
    assert query("select count(*) from mrr_state.change_log") == [(0,)]


def test_mass_change_of_a_table_without_a_key_is_no_mass_delete(
    operational: OperationalDatabase, mirror: Mirror, query: Query
) -> None:
    operational.execute("create table notes (a int)")
    operational.execute("insert into notes select seq from seq_1_to_2000")
    table = mirror.table("notes", key=(), cursor=None)
    mirror.extract_one(table)
    operational.execute("alter table notes add b int default 7")
    assert mirror.extract_one(table).applied == Applied(updated=2000)
    check_equal(operational, query)
    operational.execute("delete from notes where a <= 1500")
    operational.execute("update notes set b = 8")
    (outcome,) = mirror.extract(table)
    assert "1500 of 2000 mirrored rows are gone at the source" in str(outcome.error)


def test_dropped_column_of_a_table_without_a_key_is_null(
    bag: Mirror, operational: OperationalDatabase, query: Query
) -> None:
    operational.execute("alter table notes drop b")
    bag.extract_one(bag.table("notes", key=(), cursor=None))
    assert query("select count(*), count(a), count(b) from mrr.notes") == [(6, 4, 0)]


def test_what_postgresql_cannot_hold_is_noted_without_a_key_too(
    operational: OperationalDatabase, mirror: Mirror, query: Query
) -> None:
    operational.execute("set session sql_mode = ''")
    operational.execute("create table notes (d date, t text)")
    operational.execute("insert into notes values (0, 'x'), (0, char(0)), ('2024-01-01', char(0))")
    table = mirror.table("notes", key=(), cursor=None)
    noted = "select row_key, column_name, source_value, stored_value from dwh.mirror_anomaly"
    for _ in range(2):
        mirror.extract_one(table)
        assert query(f"{noted} order by 2") == [
            ("{}", "d", "0000-00-00", None),
            ("{}", "t", None, "\u2400"),
        ]
    operational.execute("update notes set t = 'y'")
    mirror.extract_one(table)
    assert query(noted) == [("{}", "d", "0000-00-00", None)]
    operational.execute("delete from notes")
    mirror.extract_one(table, accepted_deletes={"notes": 3})
    assert query(noted) == []
