"""The delete guard: a mass delete at the source is not applied until somebody accepts it."""

from datetime import datetime
from typing import Protocol

from psycopg2.extensions import cursor as Cursor

from common.errors import DeletesRefused
from common.rows import one_row
from extract.limits import Limits

CANDIDATES_KEPT = 1_000


class GuardedTable(Protocol):
    """A table of the mirror whose rows are deleted."""

    @property
    def name(self) -> str: ...
    @property
    def cursor(self) -> Cursor: ...
    @property
    def run_id(self) -> str: ...
    @property
    def limits(self) -> Limits: ...
    def count(self) -> int: ...
    def row_key(self, relation: str) -> str: ...


class GuardedSource(Protocol):
    """What it is compared with."""

    def is_empty(self) -> bool: ...
    def clock(self) -> datetime: ...


class GuardedPair(Protocol):
    """Both."""

    @property
    def mirror(self) -> GuardedTable: ...
    @property
    def source(self) -> GuardedSource: ...


def check_deletes(pair: GuardedPair, gone: str, accepted: int | None) -> None:
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


def allowed_deletes(mirror: GuardedTable, source_is_empty: bool, now: datetime) -> int:
    """How many rows may be deleted now, by the source's clock, without being accepted."""
    if source_is_empty:
        return 0
    limits = mirror.limits
    allowed = max(limits.deletes, int(mirror.count() * limits.deletes_share))
    return max(0, allowed - _deleted_lately(mirror, now))


def record_candidates(mirror: GuardedTable, row_keys: list[str]) -> None:
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


def record_accepted(mirror: GuardedTable, deletes: int) -> None:
    """Record accepted deletes, so that they do not count against the delete budget."""
    mirror.cursor.execute(
        "insert into mrr_state.accepted_deletes (table_name, run_id, deletes) values (%s, %s, %s)",
        (mirror.name, mirror.run_id, deletes),
    )


def _deleted_lately(mirror: GuardedTable, now: datetime) -> int:
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
