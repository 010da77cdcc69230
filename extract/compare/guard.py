"""The delete guard: a mass delete at the source is not applied until somebody accepts it."""

from datetime import datetime

from common.errors import DeletesRefused
from common.rows import one_row
from extract.mirror.table import MirrorTable
from extract.pair import TablePair

CANDIDATES_KEPT = 1_000


def check_deletes(pair: TablePair, gone: str, accepted: int | None) -> None:
    """Raise DeletesRefused if the relation `gone` has more keys than may be deleted now.

    The budget is for 24 hours, so that a mass delete in small steps is refused too.
    """
    mirror, cursor = pair.mirror, pair.mirror.cursor
    cursor.execute(f"select count(*) from {gone}")
    (deletes,) = one_row(cursor)
    if not deletes:
        return
    allowed = allowed_deletes(mirror, pair.source.is_empty(), pair.source.clock())
    if deletes <= allowed or deletes == accepted:
        return
    cursor.execute(
        f"select {mirror.row_key('gone')}::text from {gone} as gone"
        f" order by 1 limit {CANDIDATES_KEPT}"
    )
    row_keys = [row_key for (row_key,) in cursor.fetchall()]
    raise DeletesRefused(mirror.name, deletes, allowed, mirror.count(), row_keys)


def allowed_deletes(mirror: MirrorTable, source_is_empty: bool, now: datetime) -> int:
    """How many rows may be deleted now, by the source's clock, without being accepted."""
    if source_is_empty:
        return 0
    limits = mirror.limits
    allowed = max(limits.deletes, int(mirror.count() * limits.deletes_share))
    return max(0, allowed - _deleted_lately(mirror, now))


def record_candidates(mirror: MirrorTable, row_keys: list[str]) -> None:
    """Replace the recorded keys whose delete was refused; an empty list clears them."""
    mirror.cursor.execute(
        "delete from mrr_state.guard_candidate where table_name = %s", (mirror.name,)
    )
    for row_key in row_keys:
        mirror.cursor.execute(
            "insert into mrr_state.guard_candidate (table_name, row_key, run_id)"
            " values (%s, %s, %s)",
            (mirror.name, row_key, mirror.run_id),
        )


def record_accepted(mirror: MirrorTable, deletes: int) -> None:
    """Record accepted deletes, so that they do not count against the delete budget."""
    mirror.cursor.execute(
        "insert into mrr_state.accepted_deletes (table_name, run_id, deletes) values (%s, %s, %s)",
        (mirror.name, mirror.run_id, deletes),
    )


def _deleted_lately(mirror: MirrorTable, now: datetime) -> int:
    """The rows that were deleted in the last 24 hours, except accepted deletes."""
    mirror.cursor.execute(
        "select coalesce(sum(verification.deleted - coalesce(accepted.deletes, 0)), 0)"
        " from dwh.mirror_verification as verification"
        " left join mrr_state.accepted_deletes as accepted using (table_name, run_id)"
        " where verification.table_name = %s"
        # both times are by the source's clock; if it is set back, more deletes count, never fewer
        " and verification.checked_to > %s::timestamptz - interval '24 hours'",
        (mirror.name, now),
    )
    (rows,) = one_row(mirror.cursor)
    return int(rows)
