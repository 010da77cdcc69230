"""Three hours of the table `media_files`: its rows at the end of each hour, and how it gets there.

The file has the whole table at each hour. Against hour 2, hour 3 has a row that arrives with the
stamp of another row, a row that changed without a new stamp, and one row less.
"""

import csv
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from pymysql.cursors import Cursor

from common.settings import Address
from operational.connection import connection

DATABASE = "media"
FILE = Path(__file__).parent / "replay" / "three_hours.csv"
NEW_COLUMN = "duration_seconds"
"""The column that the table gets after the last hour."""


class MediaFile(NamedTuple):
    """A row of the table; `updated_at` is in UTC."""

    id: int
    s3_path: str
    format: str
    type: int
    updated_at: datetime


def rows_at_each_hour() -> dict[int, list[MediaFile]]:
    """The rows of the table at the end of each hour, by key."""
    hours: dict[int, list[MediaFile]] = {}
    with FILE.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            hours.setdefault(int(line["hour"]), []).append(
                MediaFile(
                    int(line["id"]),
                    line["s3_path"],
                    line["format"],
                    int(line["type"]),
                    datetime.fromisoformat(line["updated_at"]),
                )
            )
    return hours


def steps() -> Iterator[tuple[str, Callable[[Cursor], None]]]:
    """What happens to the table, step by step: a name, and what writes it."""
    yield "emptied", empty
    before: list[MediaFile] = []
    for hour, after in rows_at_each_hour().items():
        yield f"hour {hour}", partial(write_hour, before=before, after=after)
        before = after
    yield f"new column {NEW_COLUMN}", add_column


def write(application: Address, step: Callable[[Cursor], None]) -> None:
    """Write a step in one transaction. Raises ServerError for any server but the embedded one."""
    with connection(application, DATABASE) as connected:
        step(connected.cursor())
        connected.commit()


def rows_now(application: Address) -> tuple[list[str], list[tuple[Any, ...]]]:
    """The names of the columns, and the rows by key; times are in UTC."""
    with connection(application, DATABASE) as connected, connected.cursor() as cursor:
        cursor.execute("select * from media_files order by id")
        return [column[0] for column in cursor.description], list(cursor.fetchall())


def write_hour(
    cursor: Cursor, before: list[MediaFile], after: list[MediaFile], table: str = "media_files"
) -> None:
    """Insert, update and delete what turns the rows of one hour into those of the next."""
    known = {row.id: row for row in before}
    for gone in known.keys() - {row.id for row in after}:
        cursor.execute(f"delete from {table} where id = %s", (gone,))
    for row in after:
        if row.id not in known:
            cursor.execute(
                f"insert into {table} (id, s3_path, format, type, updated_at)"
                " values (%s, %s, %s, %s, %s)",
                row,
            )
        elif row != known[row.id]:
            cursor.execute(
                f"update {table} set s3_path = %s, format = %s, type = %s, updated_at = %s"
                " where id = %s",
                (*row[1:], row.id),
            )


def add_column(cursor: Cursor) -> None:
    """Add a column, as the application's next version would, and fill it for the videos."""
    cursor.execute(
        f"alter table media_files add column {NEW_COLUMN} int comment 'length of a video'"
        " after type"
    )
    cursor.execute(f"update media_files set {NEW_COLUMN} = 90 + id where type = 2")


def empty(cursor: Cursor) -> None:
    """Make the table what it was before the first hour: without rows and without that column."""
    cursor.execute(f"alter table media_files drop column if exists {NEW_COLUMN}")
    cursor.execute("delete from media_files")
