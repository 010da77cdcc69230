"""Which relations are exported, what of them, and the rows of an export of changes."""

from collections.abc import Callable

import pytest
from psycopg2.extensions import connection as Connection

from common.errors import TidemarkError, UsageError
from export.relations import (
    ExportRelation,
    check_changes,
    contents_of,
    find_relations,
    select_changes,
)
from tests.export.conftest import ITEMS, Query
from warehouse.exports import Run, begin_reading, note_positions
from warehouse.positions import forget_read_changes

Log = Callable[..., int]


def test_relation_is_found_by_either_name(connection: Connection) -> None:
    with connection.cursor() as cursor:
        found = find_relations(cursor, ["items", "mrr.items", "dwh.run_log"], {"items": ("id",)})
    assert [str(one) for one in found] == ["mrr.items", "dwh.run_log"]
    assert [one.key for one in found] == [("id",), ()]


@pytest.mark.parametrize("name", ["item", "stg.items", "mrr_state.change_log", "", "x; drop table"])
def test_name_that_is_not_in_mrr_or_dwh_is_refused(connection: Connection, name: str) -> None:
    with connection.cursor() as cursor, pytest.raises(UsageError) as caught:
        find_relations(cursor, [name], {})
    assert str(caught.value).startswith(f"table {name}: not in the warehouse\nHINT: ")


@pytest.mark.parametrize(
    ("relation", "why"),
    [
        (ExportRelation("dwh", "dwh_fact_sales"), "it is not in mrr"),
        (ExportRelation("mrr", "keyless"), "it has no key"),
    ],
    ids=str,
)
def test_changes_that_are_not_logged_are_refused(relation: ExportRelation, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_changes([ITEMS, relation])
    assert f"table {relation}: its changes are not logged, since {why}\n" in str(caught.value)


@pytest.mark.parametrize(
    ("position", "reason"),
    [
        (None, "it was not exported before"),
        (-1, "its changes since were not kept, or it was loaded as a whole"),
        (0, "it was loaded as a whole since"),
    ],
    ids=["first", "not kept", "loaded"],
)
def test_every_row_is_exported_where_changes_are_not_enough(
    connection: Connection, log: Log, position: int | None, reason: str
) -> None:
    last = log("load")
    with connection.cursor() as cursor:
        contents = contents_of(cursor, ITEMS, position, last, True)
    assert (contents.after, contents.reason, contents.word) == (None, reason, "rows")


def test_load_after_the_moment_is_left_to_the_next_export(connection: Connection, log: Log) -> None:
    read = log("insert", 1)
    last = log("update", 1)
    log("load")
    with connection.cursor() as cursor:
        assert contents_of(cursor, ITEMS, read, last, True).after == read


def changes(connection: Connection, after: int, to: int) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(select_changes(cursor, ITEMS, after, to).statement)
        return list(cursor.fetchall())


def test_changes_have_an_operation_and_the_row_as_it_is_now(
    connection: Connection, query: Query, log: Log
) -> None:
    read = log("insert", 1)
    with connection.cursor() as cursor:
        begin_reading(cursor, "parquet", ["items"], Run("run", 30))
        note_positions(cursor, "parquet", {"items": read}, Run("run", 30))
    query("insert into mrr.items values (1, 'new'), (2, ''), (4, null), (6, 'again')")
    for operation, key in (
        *(("update", 1), ("update", 1), ("insert", 2), ("update", 2), ("delete", 3)),
        *(("insert", 4), ("insert", 5), ("delete", 5), ("delete", 6)),
    ):
        last = log(operation, key)
    # half of them have left the log
    forget_read_changes(connection, set())
    last = log("insert", 6)
    beyond = log("update", 7)
    assert [(row[0], *row[2:]) for row in changes(connection, read, last)] == [
        *(("update", 1, "new"), ("insert", 2, ""), ("delete", 3, None), ("insert", 4, None)),
        *(("delete", 5, None), ("update", 6, "again")),
    ]
    numbers = [row[1] for row in changes(connection, read, beyond)]
    assert numbers == sorted(numbers) and numbers[-1] == beyond


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("date", "0044-03-15 BC"),
        ("timestamp", "2026-01-01 00:00:00.000001"),
        ("bytea", r"\x00ff"),
        ("numeric(65,30)", "1.000000000000000000000000000001"),
        ("text", 'it\'s "quoted"\\'),
        ("char(4)", "a "),
        ("double precision", "0.1"),
        ("uuid", "b5d1f0a4-7d5a-4f0e-9c43-9c8f8a3e2f11"),
    ],
)
def test_key_of_any_type_is_found_in_the_log(
    connection: Connection, query: Query, log: Log, declared: str, value: str
) -> None:
    query("drop table mrr.items")
    query(
        f'create table mrr.items (id {declared}, "it\'s ""2""" int, name text, '
        'primary key (id, "it\'s ""2"""))'
    )
    query("insert into mrr.items values (%s, 2, 'found')", value)
    query(
        "insert into mrr_state.change_log (table_name, row_key, operation, run_id)"
        " select 'items', jsonb_build_object('id', id, %s, 2), 'update', 'test' from mrr.items",
        'it\'s "2"',
    )
    ((last,),) = query("select max(change_id) from mrr_state.change_log")
    relation = ExportRelation("mrr", "items", ("id", 'it\'s "2"'))
    with connection.cursor() as cursor:
        cursor.execute(select_changes(cursor, relation, last - 1, last).statement)
        assert [(row[0], row[-1]) for row in cursor.fetchall()] == [("update", "found")]


def test_column_with_the_name_of_the_operation_is_refused(
    connection: Connection, query: Query
) -> None:
    query("alter table mrr.items add column tidemark_operation text")
    with pytest.raises(TidemarkError) as caught:
        changes(connection, 0, 1)
    assert "column tidemark_operation: an export of changes, and one to Iceberg, has" in str(
        caught.value
    )
