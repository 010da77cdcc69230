"""`dwh.high_water_mark`: how far each mirrored table has reached `dwh`."""

from dataclasses import dataclass
from datetime import datetime

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor


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
            "update dwh.high_water_mark set is_mirrored = table_name = any(%s)"
            " where is_mirrored <> (table_name = any(%s))",
            (active, active),
        )


def advance_marks(connection: Connection, marks: list[Mark], run_id: str) -> None:
    """Write the marks. A mark follows the source's clock, even if that was set back."""
    with connection.cursor() as cursor:
        for mark in marks:
            cursor.execute(_WRITE, _values(mark, run_id))


def move_mark(cursor: Cursor, mark: Mark, run_id: str) -> None:
    """Write a mark, unless it is that of the same read."""
    cursor.execute(
        f"{_WRITE} where high_water_mark.read_at <> excluded.read_at", _values(mark, run_id)
    )


_WRITE = """
    insert into dwh.high_water_mark (
        table_name, cursor_column, high_water_mark, read_at, reads_from, run_id
    )
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
