"""What models have read leaves the change log, and is kept for exports that have not read it."""

from collections.abc import Callable

import pytest
from psycopg2.extensions import connection as Connection

from tests.export.conftest import Query
from warehouse import exports
from warehouse.exports import Run, begin_reading, export_all_again, note_positions, positions_of
from warehouse.positions import forget_read_changes

RUN = Run("20260101T000000-000000", 30)
Log = Callable[..., int]


def export_to(connection: Connection, change: int, *tables: str, made_as: str = "parquet") -> None:
    with connection.cursor() as cursor:
        begin_reading(cursor, made_as, tables or ("items",), RUN)
        note_positions(cursor, made_as, dict.fromkeys(tables or ("items",), change), RUN)


def position(connection: Connection) -> int:
    with connection.cursor() as cursor:
        return positions_of(cursor, "parquet")["items"]


def kept(query: Query) -> list[int]:
    return [
        change for (change,) in query("select change_id from mrr_state.export_change order by 1")
    ]


def test_changes_that_an_export_has_not_read_are_kept_beside_the_log(
    connection: Connection, query: Query, log: Log
) -> None:
    read = log("insert", 1)
    export_to(connection, read)
    unread = [log("update", 1), log("delete", 1)]
    log("insert", 1, "others")
    assert forget_read_changes(connection, set()) == 4
    assert query("select count(*) from mrr_state.change_log") == [(0,)]
    assert kept(query) == unread
    assert position(connection) == read


def test_kept_changes_are_deleted_when_every_export_has_read_them(
    connection: Connection, query: Query, log: Log
) -> None:
    export_to(connection, log("insert", 1))
    export_to(connection, position(connection), made_as="iceberg")
    changes = [log("update", 1), log("update", 1)]
    forget_read_changes(connection, set())
    export_to(connection, changes[1])
    assert kept(query) == changes, "the other format has not read them"
    export_to(connection, changes[0], made_as="iceberg")
    assert kept(query) == changes[1:]


def test_table_that_was_loaded_as_a_whole_is_exported_as_a_whole(
    connection: Connection, query: Query, log: Log
) -> None:
    export_to(connection, log("insert", 1))
    log("update", 1)
    log("load")
    forget_read_changes(connection, set())
    assert position(connection) == -1
    forget_read_changes(connection, set())
    assert kept(query) == []


def test_load_before_the_position_changes_nothing(connection: Connection, log: Log) -> None:
    log("load")
    last = log("update", 1)
    export_to(connection, last)
    forget_read_changes(connection, set())
    assert position(connection) == last


def test_changes_are_kept_from_the_beginning_of_an_export(
    connection: Connection, query: Query, log: Log
) -> None:
    before = log("insert", 1)
    with connection.cursor() as cursor:
        begin_reading(cursor, "parquet", ["items"], RUN)
        meanwhile = log("update", 1)
        forget_read_changes(connection, set())
        note_positions(cursor, "parquet", {"items": before}, RUN)
    assert (position(connection), kept(query)) == (before, [meanwhile])


def test_load_during_an_export_is_not_missed(connection: Connection, log: Log) -> None:
    before = log("insert", 1)
    with connection.cursor() as cursor:
        begin_reading(cursor, "parquet", ["items"], RUN)
        log("load")
        forget_read_changes(connection, set())
        note_positions(cursor, "parquet", {"items": before}, RUN)
    assert position(connection) == -1


def test_failed_export_leaves_the_position_where_it_was(
    connection: Connection, query: Query, log: Log
) -> None:
    read = log("insert", 1)
    export_to(connection, read)
    unread = log("update", 1)
    with connection.cursor() as cursor:
        begin_reading(cursor, "parquet", ["items"], RUN)
    forget_read_changes(connection, set())
    assert (position(connection), kept(query)) == (read, [unread])


@pytest.mark.parametrize(("days", "is_kept"), [(29, True), (31, False)])
def test_position_is_dropped_after_the_days_of_the_setting(
    connection: Connection, query: Query, log: Log, days: int, is_kept: bool
) -> None:
    export_to(connection, log("insert", 1))
    query(
        "update mrr_state.export_position set kept_until = kept_until - make_interval(days => %s)",
        days,
    )
    unread = log("update", 1)
    forget_read_changes(connection, set())
    assert kept(query) == ([unread] if is_kept else [])
    assert (position(connection) >= 0) == is_kept


def test_no_more_changes_are_kept_than_an_export_of_every_row_is_worth(
    connection: Connection, query: Query, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "CHANGES_KEPT", 3)
    export_to(connection, log("insert", 1))
    for _ in range(3):
        log("update", 1)
    for _ in range(2):
        forget_read_changes(connection, set())
        assert len(kept(query)) == 3
    log("update", 1)
    for _ in range(2):
        forget_read_changes(connection, set())
    assert (position(connection), kept(query)) == (-1, [])


def test_after_a_restore_every_row_is_exported_again(
    connection: Connection, query: Query, log: Log
) -> None:
    export_to(connection, log("insert", 1))
    log("update", 1)
    forget_read_changes(connection, set())
    with connection.cursor() as cursor:
        export_all_again(cursor)
    assert (position(connection), kept(query)) == (-1, [])
