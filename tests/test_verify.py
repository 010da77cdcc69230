"""`verify` and `verify --repair` on tables that differ."""

from collections.abc import Callable
from pathlib import Path

import pytest

from commands.endpoints import Endpoints
from commands.verify import verify_tables
from common.errors import ExitCode
from extract import verifying
from extract.compare import reconcile
from tests.support.mirror import Mirror
from tests.support.servers import OperationalDatabase
from warehouse.connection import connect, transaction

Query = Callable[..., list[tuple]]


@pytest.fixture(params=["small", "large"])
def mirrored(
    request: pytest.FixtureRequest,
    endpoints: Endpoints,
    operational: OperationalDatabase,
    tmp_path: Path,
):
    """A mirrored table of one range, or of 25."""
    operational.execute("create table items (id int primary key, v text)")
    operational.execute("insert into items select seq, seq from seq_1_to_2500")
    made = Mirror(endpoints, operational.name, tmp_path / "landing")
    if request.param == "large":
        made.limit(range_rows=100)
    made.extract_one(made.table("items", cursor=None))
    yield made
    made.connection.close()


def test_verify_names_what_differs_and_changes_nothing(mirrored: Mirror, query: Query) -> None:
    query("update mrr.items set v = 'other' where id = 1234")
    query("delete from mrr.items where id = 7")
    query("insert into mrr.items values (9999, 'x')")
    result = verify_tables(mirrored.endpoints, [mirrored.table("items", cursor=None)], False, {})
    (table,) = result.tables
    assert result.exit_code == ExitCode.FAILED
    assert table.verification.different_rows == 3
    assert set(table.verification.differences) == {'{"id": 1234}', '{"id": 7}', '{"id": 9999}'}
    assert query("select v from mrr.items where id = 1234") == [("other",)]


def test_repair_mends_every_row_and_says_so(mirrored: Mirror, query: Query) -> None:
    query("update mrr.items set v = 'other' where id = 1234")
    query("delete from mrr.items where id = 7")
    query("insert into mrr.items values (9999, 'x')")
    tables = [mirrored.table("items", cursor=None)]
    repaired = verify_tables(mirrored.endpoints, tables, True, {})
    (table,) = repaired.tables
    assert repaired.exit_code == ExitCode.DONE
    assert table.verification.applied.rows == 3
    assert table.verification.compared_rows == 2500
    assert query("select count(*), sum(id), bool_and(v = id::text) from mrr.items") == [
        (2500, 3126250, True)
    ]
    assert verify_tables(mirrored.endpoints, tables, False, {}).exit_code == ExitCode.DONE


def test_verify_of_a_table_that_was_never_mirrored_says_so(
    mirrored: Mirror, operational: OperationalDatabase
) -> None:
    operational.execute("create table fresh (id int primary key)")
    result = verify_tables(mirrored.endpoints, [mirrored.table("fresh", cursor=None)], False, {})
    assert result.exit_code == ExitCode.FAILED
    assert str(result.tables[0].error).startswith("fresh: not mirrored yet\nHINT: ")


def test_verify_says_which_column_the_mirror_lacks(
    mirrored: Mirror, operational: OperationalDatabase
) -> None:
    operational.execute("alter table items add w int")
    result = verify_tables(mirrored.endpoints, [mirrored.table("items", cursor=None)], False, {})
    assert 'column "w" is integer at the source, missing in the mirror' in str(
        result.tables[0].error
    )


def test_repair_leaves_the_views_above_a_column_of_another_type(
    mirrored: Mirror, operational: OperationalDatabase, query: Query
) -> None:
    query("create view stg.items as select * from mrr.items")
    operational.execute("alter table items modify v blob")
    result = verify_tables(mirrored.endpoints, [mirrored.table("items", cursor=None)], True, {})
    assert "HINT: Start a run: it changes the type, and creates the views again." in str(
        result.tables[0].error
    )
    assert query("select count(*) from stg.items") == [(2500,)]


def test_repair_under_an_open_transaction_waits_a_bounded_time(
    mirrored: Mirror, operational: OperationalDatabase, query: Query
) -> None:
    mirrored.limit(lock_wait="1s")
    operational.execute("alter table items add unique (id)")
    query("alter table mrr.items drop constraint items_pkey")
    reader = connect(mirrored.endpoints.warehouse)
    with transaction(reader), reader.cursor() as cursor:
        cursor.execute("select count(*) from mrr.items")
        result = verify_tables(mirrored.endpoints, [mirrored.table("items", cursor=None)], True, {})
    assert "lock timeout" in str(result.tables[0].error)
    reader.close()


@pytest.mark.parametrize("repair", [False, True])
def test_table_that_is_swapped_while_it_is_verified_is_not_called_equal(
    mirrored: Mirror, operational: OperationalDatabase, monkeypatch, repair: bool
) -> None:
    operational.execute("create table other like items")
    operational.execute("alter table other add w int")
    real, calls = reconcile._compare_rows, []

    def compare(*arguments):
        found = real(*arguments)
        if not calls:
            operational.execute("rename table items to old, other to items")
        calls.append(found)
        return found

    monkeypatch.setattr(reconcile, "_compare_rows", compare)
    result = verify_tables(mirrored.endpoints, [mirrored.table("items", cursor=None)], repair, {})
    assert result.exit_code == ExitCode.FAILED
    assert "rebuilt while it was read" in str(result.tables[0].error)


def test_repair_whose_lock_is_gone_changes_nothing(
    mirrored: Mirror, query: Query, monkeypatch
) -> None:
    query("update mrr.items set v = 'other' where id = 1234")
    real = verifying.reconcile

    def lose_lock(*arguments, **options):
        query(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name = 'tidemark run lock' and datname = current_database()"
        )
        return real(*arguments, **options)

    monkeypatch.setattr(verifying, "reconcile", lose_lock)
    verify_tables(mirrored.endpoints, [mirrored.table("items", cursor=None)], True, {})
    assert query("select v from mrr.items where id = 1234") == [("other",)]
