"""Fills the tables of a restore, and compares them, in several sessions at once."""

from collections.abc import Iterable

from psycopg2.extensions import cursor as Cursor

from backup.layers import LAYERS
from backup.repository.manifest import Contents, Table
from backup.restoring.archive import Archive, Part
from backup.restoring.script import run_data
from backup.restoring.sessions import Sessions
from backup.server.contents import EXACT_TEXT, read_relations, read_sequences, read_table
from backup.server.leftovers import staged
from common.errors import TidemarkError
from common.quoting import quoted


class RestoredDiffers(TidemarkError):
    """Something that was restored differs from the manifest; nothing was changed."""

    def __init__(self, backup: str, what: str, problem: str) -> None:
        super().__init__(
            f"backup {backup}, {what}",
            f"{problem}; nothing was changed",
            "Restore another backup by its name, and keep this one for analysis.",
        )


def fill(sessions: Sessions, archive: Archive) -> None:
    """Copy the rows of a dump into the empty tables of the staged schemas."""
    sessions.each(archive.parts(sessions.count), _fill)


def compare(sessions: Sessions, backup: str, tables: Iterable[Table]) -> None:
    """Compare the staged tables with the manifest. Raises RestoredDiffers."""
    largest_first = sorted(tables, key=lambda table: table.rows, reverse=True)
    sessions.each(
        largest_first,
        lambda cursor, table: compare_table(cursor, backup, table, staged(table.schema)),
    )


def analyze(sessions: Sessions, tables: Iterable[Table]) -> None:
    """Let the planner know the staged tables."""

    def run(cursor: Cursor, table: Table) -> None:
        cursor.execute(f"analyze {quoted(staged(table.schema), table.name)}")

    sessions.each(sorted(tables, key=lambda table: table.rows, reverse=True), run)


def compare_table(cursor: Cursor, backup: str, expected: Table, schema: str) -> None:
    """Compare a table, which is in this schema now. Raises RestoredDiffers."""
    cursor.execute(EXACT_TEXT)
    found = read_table(cursor, schema, expected.name)
    if found.rows != expected.rows:
        problem = f"{found.rows} rows restored, {expected.rows} in the manifest"
        raise RestoredDiffers(backup, str(expected), problem)
    if found.digest != expected.digest:
        problem = "the digest of its rows differs from the manifest"
        raise RestoredDiffers(backup, str(expected), problem)


def compare_names(cursor: Cursor, backup: str, layer: str, expected: Contents) -> None:
    """Compare what tables, views and sequences a layer has, which has the true names now.

    Raises RestoredDiffers.
    """
    found = read_relations(cursor, LAYERS[layer])
    for kind, restored, saved in (
        ("table", found["r"], map(str, expected.tables)),
        ("view", found["v"] + found["m"], expected.views),
        ("sequence", found["S"], map(str, expected.sequences)),
    ):
        names, known = {".".join(name) for name in restored}, set(saved)
        for name in sorted(names ^ known):
            where = "not in the manifest" if name in names else "in the manifest, not restored"
            raise RestoredDiffers(backup, f"{kind} {name}", where)


def compare_sequences(cursor: Cursor, backup: str, layer: str, expected: Contents) -> None:
    """Compare the values of the sequences of a layer. Raises RestoredDiffers."""
    found = {str(one): one.last_value for one in read_sequences(cursor, LAYERS[layer])}
    for sequence in expected.sequences:
        value = found[str(sequence)]
        if not sequence.may_be(value):
            problem = f"its value is {value}, {sequence.last_value} in the manifest"
            raise RestoredDiffers(backup, f"sequence {sequence}", problem)


def _fill(cursor: Cursor, part: Part) -> None:
    with part.script() as script:
        run_data(cursor, script, staged)
