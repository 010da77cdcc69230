"""`verify` and `verify --repair` on tables that differ."""

from collections.abc import Callable
from pathlib import Path

import pytest

from commands.servers import Connected
from commands.verify import verify_tables
from common.errors import ExitCode
from extract import stored_ranges
from tests.conftest import OperationalDatabase
from tests.extract.conftest import Mirror

Query = Callable[..., list[tuple]]


@pytest.fixture(params=["small", "large"])
def mirrored(
    request: pytest.FixtureRequest,
    connected: Connected,
    operational: OperationalDatabase,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    """A mirrored table of one range, or of 25."""
    if request.param == "large":
        monkeypatch.setattr(stored_ranges, "RANGE_ROWS", 100)
    operational.execute("create table items (id int primary key, v text)")
    operational.execute("insert into items select seq, seq from seq_1_to_2500")
    made = Mirror(connected, operational.name, tmp_path / "landing")
    made.extract_one(made.table("items", cursor=None))
    yield made
    made.connection.close()


def test_verify_names_what_differs_and_changes_nothing(mirrored: Mirror, query: Query) -> None:
    query("update mrr.items set v = 'other' where id = 1234")
    query("delete from mrr.items where id = 7")
    query("insert into mrr.items values (9999, 'x')")
    result = verify_tables(mirrored.connected, [mirrored.table("items", cursor=None)], False, {})
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
    repaired = verify_tables(mirrored.connected, tables, True, {})
    (table,) = repaired.tables
    assert repaired.exit_code == ExitCode.DONE
    assert table.verification.applied.rows == 3
    assert table.verification.compared_rows == 2500
    assert query("select count(*), sum(id), bool_and(v = id::text) from mrr.items") == [
        (2500, 3126250, True)
    ]
    assert verify_tables(mirrored.connected, tables, False, {}).exit_code == ExitCode.DONE


def test_verify_of_a_table_that_was_never_mirrored_says_so(
    mirrored: Mirror, operational: OperationalDatabase
) -> None:
    operational.execute("create table fresh (id int primary key)")
    result = verify_tables(mirrored.connected, [mirrored.table("fresh", cursor=None)], False, {})
    assert result.exit_code == ExitCode.FAILED
    assert str(result.tables[0].error).startswith("fresh: not mirrored yet\nHINT: ")


def test_verify_says_which_column_the_mirror_lacks(
    mirrored: Mirror, operational: OperationalDatabase
) -> None:
    operational.execute("alter table items add w int")
    result = verify_tables(mirrored.connected, [mirrored.table("items", cursor=None)], False, {})
    assert 'column "w" is integer at the source, missing in the mirror' in str(
        result.tables[0].error
    )
