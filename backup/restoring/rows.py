"""Fills the tables of a restore, and compares them, in several sessions at once."""

import time
from collections.abc import Iterable

from psycopg2.extensions import cursor as Cursor

from backup.repository.manifest import Table
from backup.restoring.archive import Archive, Part
from backup.restoring.script import run_data
from backup.restoring.sessions import Sessions
from backup.restoring.staging import staged
from backup.server.contents import EXACT_TEXT, read_table
from common.errors import TidemarkError
from common.quoting import quoted


class RestoredDiffers(TidemarkError):
    """A restored table differs from the manifest; nothing was changed."""

    def __init__(self, backup: str, expected: Table, rows: int) -> None:
        self.expected = expected
        self.rows = rows
        problem = (
            f"{rows} rows restored, {expected.rows} in the manifest"
            if rows != expected.rows
            else "the digest of its rows differs from the manifest"
        )
        super().__init__(
            f"backup {backup}, {expected}",
            f"{problem}; nothing was changed",
            "Restore another backup by its name, and keep this one for analysis.",
        )


def fill(sessions: Sessions, archive: Archive) -> None:
    """Copy the rows of a dump into the empty tables of the staged schemas."""
    sessions.each(archive.parts(sessions.count), _fill)


def compare(sessions: Sessions, backup: str, tables: Iterable[Table]) -> float:
    """Compare the staged tables with the manifest; returns the seconds that it took.

    Raises RestoredDiffers.
    """
    started = time.monotonic()
    largest_first = sorted(tables, key=lambda table: table.rows, reverse=True)
    sessions.each(
        largest_first,
        lambda cursor, table: compare_table(cursor, backup, table, staged(table.schema)),
    )
    return time.monotonic() - started


def compare_table(cursor: Cursor, backup: str, expected: Table, schema: str) -> None:
    """Compare a table, which is in this schema now. Raises RestoredDiffers."""
    cursor.execute(EXACT_TEXT)
    found = read_table(cursor, schema, expected.name)
    if (found.rows, found.digest) != (expected.rows, expected.digest):
        raise RestoredDiffers(backup, expected, found.rows)
    cursor.execute(f"analyze {quoted(schema, expected.name)}")


def _fill(cursor: Cursor, part: Part) -> None:
    with part.script() as script:
        run_data(cursor, script, staged)
