"""The delete guard: a mass delete at the source changes nothing here until somebody says so."""

from datetime import datetime

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from common.errors import DeletesRefused
from extract.mirror import MirrorTable
from extract.reader import Reader

ALLOWED_ROWS = 1_000
ALLOWED_SHARE = 0.05
CANDIDATES_KEPT = 1_000


def check_deletes(
    cursor: Cursor, mirror: MirrorTable, reader: Reader, accepted: int | None
) -> None:
    """Raise DeletesRefused when `reconcile_gone` holds more rows than may be deleted now.

    The measure is 24 hours, so that a mass delete in small steps is seen too.
    """
    cursor.execute("select count(*) from reconcile_gone")
    deletes = cursor.fetchone()[0]
    if not deletes:
        return
    allowed = allowed_deletes(cursor, mirror, reader.is_empty(), reader.session.clock())
    if deletes <= allowed or deletes == accepted:
        return
    cursor.execute(
        f"select {mirror.row_key('gone')}::text from reconcile_gone as gone"
        f" order by 1 limit {CANDIDATES_KEPT}"
    )
    row_keys = [row_key for (row_key,) in cursor.fetchall()]
    raise DeletesRefused(mirror.name, deletes, allowed, mirror.count(cursor), row_keys)


def allowed_deletes(
    cursor: Cursor, mirror: MirrorTable, source_is_empty: bool, now: datetime
) -> int:
    """How many rows may be deleted now, by the source's clock, without anybody's word."""
    if source_is_empty:
        return 0
    allowed = max(ALLOWED_ROWS, int(mirror.count(cursor) * ALLOWED_SHARE))
    return max(0, allowed - _deleted_lately(cursor, mirror, now))


def note_candidates(
    connection: Connection, table_name: str, row_keys: list[str], run_id: str
) -> None:
    """Keep the first keys that were held back, in place of those of an earlier run: none, now."""
    with connection.cursor() as cursor:
        cursor.execute("delete from mrr_state.guard_candidate where table_name = %s", (table_name,))
        for row_key in row_keys:
            cursor.execute(
                "insert into mrr_state.guard_candidate (table_name, row_key, run_id)"
                " values (%s, %s, %s)",
                (table_name, row_key, run_id),
            )


def note_accepted(cursor: Cursor, table_name: str, deletes: int, run_id: str) -> None:
    """Keep what somebody let through, so that it does not count against the next 24 hours."""
    cursor.execute(
        "insert into mrr_state.accepted_deletes (table_name, run_id, deletes) values (%s, %s, %s)",
        (table_name, run_id, deletes),
    )


def _deleted_lately(cursor: Cursor, mirror: MirrorTable, now: datetime) -> int:
    """The rows that were deleted in 24 hours, but for those that somebody let through."""
    cursor.execute(
        "select coalesce(sum(verification.deleted - coalesce(accepted.deletes, 0)), 0)"
        " from dwh.mirror_verification as verification"
        " left join mrr_state.accepted_deletes as accepted using (table_name, run_id)"
        " where verification.table_name = %s"
        # by the clock of the source, as it was written; one that was set back forgets nothing
        " and verification.checked_to > %s::timestamptz - interval '24 hours'",
        (mirror.name, now),
    )
    return int(cursor.fetchone()[0])
