"""`dwh.high_water_mark`: how far each mirrored table has reached `dwh`.

How far a table was read is noted in `mrr_state.read_mark` until everything below it is built, which
another run may do than the one that read it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from common.pause import pause_point
from warehouse.connection import transaction


@dataclass(frozen=True)
class Mark:
    """A table's mark. `read_at` is the source's clock at the read that the mark describes.

    `reads_from` is the number from which, less the overlap, the next window of numbers is read.
    """

    table_name: str
    cursor_column: str | None
    high_water_mark: str | None
    read_at: datetime
    reads_from: str | None = None


def read_marks(connection: Connection) -> dict[str, Mark]:
    """The mark of each table that has one, by the mirror's name."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select table_name, cursor_column, high_water_mark, read_at, reads_from"
            " from dwh.high_water_mark"
        )
        return {row[0]: Mark(*row) for row in cursor.fetchall()}


def mirrored_tables(connection: Connection) -> set[str]:
    """The names of the tables that are mirrored, with a mark or without."""
    with connection.cursor() as cursor:
        cursor.execute("select tablename from pg_catalog.pg_tables where schemaname = 'mrr'")
        return {name for (name,) in cursor.fetchall()}


def note_mirrored(connection: Connection, active: list[str]) -> None:
    """Note which of the tables with a mark are still mirrored, for the views of `dwh`."""
    with connection.cursor() as cursor:
        cursor.execute(
            "update dwh.high_water_mark set is_mirrored = not is_mirrored"
            " where table_name = any(array(select known.table_name"
            " from dwh.high_water_mark as known"
            " where known.is_mirrored <> (known.table_name = any(%s))"
            f" {_IN_ORDER}))",
            (active,),
        )


def note_read(connection: Connection, marks: Iterable[Mark], run_id: str) -> None:
    """Note how far tables were read, until these marks advance."""
    with transaction(connection), connection.cursor() as cursor:
        for mark in _in_order(marks):
            cursor.execute(_write("mrr_state.read_mark"), _values(mark, run_id))


def noted_marks(connection: Connection, tables: Iterable[str]) -> list[Mark]:
    """The marks of the tables that were read, and of which not everything was built since."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select table_name, cursor_column, high_water_mark, read_at, reads_from"
            " from mrr_state.read_mark where table_name = any(%s) order by table_name",
            (list(tables),),
        )
        found = [Mark(*row) for row in cursor.fetchall()]
    pause_point("marks noted")
    return found


def advance_marks(connection: Connection, marks: list[Mark], run_id: str) -> None:
    """Write the marks. A mark follows the source's clock, even if that was set back."""
    with transaction(connection), connection.cursor() as cursor:
        for mark in _in_order(marks):
            cursor.execute(_write("dwh.high_water_mark"), _values(mark, run_id))
        cursor.execute(
            "select from mrr_state.read_mark as known where known.table_name = any(%s)"
            f" {_IN_ORDER}",
            ([mark.table_name for mark in marks],),
        )
        # another run may have read the table since
        cursor.execute(
            "delete from mrr_state.read_mark using unnest(%s::text[], %s::timestamptz[])"
            " as advanced (table_name, read_at)"
            " where (read_mark.table_name, read_mark.read_at)"
            " = (advanced.table_name, advanced.read_at)",
            ([mark.table_name for mark in marks], [mark.read_at for mark in marks]),
        )


def move_mark(cursor: Cursor, mark: Mark, run_id: str) -> None:
    """Write a mark, unless it is that of the same read."""
    cursor.execute(
        f"{_write('dwh.high_water_mark')} where known.read_at <> excluded.read_at",
        _values(mark, run_id),
    )


_IN_ORDER = 'order by known.table_name collate "C" for update'
"""Whoever locks the rows of several tables locks them in this order, so that no two deadlock."""


def _in_order(marks: Iterable[Mark]) -> list[Mark]:
    return sorted(marks, key=lambda mark: mark.table_name)


def _write(table: str) -> str:
    return f"insert into {table} as known {_VALUES}"


_VALUES = """
    (table_name, cursor_column, high_water_mark, read_at, reads_from, run_id)
    values (%s, %s, %s, %s, %s, %s)
    on conflict (table_name) do update
    set
        cursor_column = excluded.cursor_column,
        high_water_mark = excluded.high_water_mark,
        read_at = excluded.read_at,
        reads_from = excluded.reads_from,
        run_id = excluded.run_id,
        updated_at = clock_timestamp()
"""


def _values(mark: Mark, run_id: str) -> tuple[object, ...]:
    return (
        mark.table_name,
        mark.cursor_column,
        mark.high_water_mark,
        mark.read_at,
        mark.reads_from,
        run_id,
    )
