"""`dwh.mirror_verification`: the result of comparing source and mirror, table by table."""

from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from psycopg2.extensions import cursor as Cursor

from extract.mirror.table import Applied, MirrorTable


@dataclass(frozen=True)
class Verification:
    """One comparison of a table. `is_equal` is about the rows that were compared, after any repair.

    `fetched_rows` are those whose values were transferred, in the window or because they differed.
    `late_rows` were stamped before the window, the oldest of them by `late_by`, and were missed by
    earlier windows. `repaired_rows` were applied by the comparison, not from the window.
    `differences` are the first keys that differ and were not repaired, as texts of JSON objects.
    `moment` is the moment of the source that the mirror shows, None if it does not show one.
    """

    table_name: str
    source_rows: int
    mirror_rows: int
    applied: Applied
    late_rows: int
    repaired_rows: int
    compared_rows: int
    is_equal: bool
    checked_from: datetime
    checked_to: datetime
    oldest_compared_at: datetime | None
    method: str
    late_by: timedelta | None = None
    fetched_rows: int = 0
    moment: datetime | None = None
    excluded_rows: int = 0
    different_rows: int = 0
    differences: list[str] = field(default_factory=list)

    @property
    def is_of_every_row(self) -> bool:
        """True if all rows were compared, not only those of some ranges."""
        return self.compared_rows == self.source_rows


def applied_before(mirror: MirrorTable) -> Applied:
    """What this run has already applied to the table."""
    mirror.cursor.execute(
        "select inserted, updated, deleted from dwh.mirror_verification"
        " where table_name = %s and run_id = %s",
        (mirror.name, mirror.run_id),
    )
    return Applied(*(mirror.cursor.fetchone() or ()))


class VerifiedTable(Protocol):
    """A table of the mirror in a run."""

    @property
    def cursor(self) -> Cursor: ...
    @property
    def run_id(self) -> str: ...


def write_verification(mirror: VerifiedTable, verification: Verification) -> None:
    """Write the row of a run and a table; it replaces the row that the run wrote before."""
    moment = verification.moment
    named = {"run_id": mirror.run_id, "moment_id": moment.isoformat() if moment else None}
    row = asdict(verification) | asdict(verification.applied) | named
    mirror.cursor.execute(
        """
        insert into dwh.mirror_verification (
            run_id, table_name, source_rows, mirror_rows, inserted, updated, deleted, late_rows,
            repaired_rows, compared_rows, excluded_rows, is_equal, checked_from, checked_to,
            oldest_compared_at, method, late_by, moment_id, fetched_rows
        )
        values (
            %(run_id)s, %(table_name)s, %(source_rows)s, %(mirror_rows)s, %(inserted)s,
            %(updated)s, %(deleted)s, %(late_rows)s, %(repaired_rows)s, %(compared_rows)s,
            %(excluded_rows)s, %(is_equal)s, %(checked_from)s, %(checked_to)s,
            %(oldest_compared_at)s, %(method)s, %(late_by)s, %(moment_id)s,
            %(fetched_rows)s
        )
        on conflict (run_id, table_name) do update
        set
            source_rows = excluded.source_rows,
            mirror_rows = excluded.mirror_rows,
            inserted = excluded.inserted,
            updated = excluded.updated,
            deleted = excluded.deleted,
            late_rows = excluded.late_rows,
            late_by = excluded.late_by,
            fetched_rows = excluded.fetched_rows,
            repaired_rows = excluded.repaired_rows,
            compared_rows = excluded.compared_rows,
            excluded_rows = excluded.excluded_rows,
            is_equal = excluded.is_equal,
            checked_to = excluded.checked_to,
            oldest_compared_at = excluded.oldest_compared_at,
            method = excluded.method,
            moment_id = excluded.moment_id
        """,
        row,
    )
