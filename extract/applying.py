"""Applies the rows that were read of a table to its mirror, and compares the mirror."""

from dataclasses import replace
from datetime import datetime

from common.pause import pause_point
from extract.compare.anomalies import record_anomalies
from extract.compare.forgotten import check_returned, with_excluded
from extract.compare.guard import record_accepted, record_candidates
from extract.compare.reconcile import reconcile
from extract.cursor_values import CursorValues
from extract.mirror.table import Applied
from extract.mirror.verification import Verification, applied_before, write_verification
from extract.table_read import TableRead
from extract.windows import advanced_mark
from warehouse.marks import Mark


def apply_read(
    read: TableRead, mark: Mark | None, accepted_deletes: int | None, moment: datetime | None
) -> tuple[Verification, Mark, str | None]:
    """Apply what was read and reconcile, in the caller's transaction.

    Returns the verification, the mark to set once everything downstream is built, and a warning
    about it or about columns that are gone, or None. `moment` is the source's moment that is open
    now. Raises DeletesRefused.
    """
    pair, mirror = read.pair, read.pair.mirror
    mirror.shape.forget()
    # a table that was rebuilt while it was read is read once more in the same run
    before = applied_before(mirror)
    applied = before + _apply_landed(read)
    advanced, warning = advanced_mark(mirror, read.window, mark, _landed_cursor(read))
    pause_point("upserted")
    accepted = accepted_deletes
    if accepted == before.deleted:
        accepted = None  # it was accepted before, and counts once
    verification = reconcile(pair, applied, read.window.start, accepted)
    verification = with_excluded(pair, verification, releases=True)
    fetched_rows = read.landed.rows + verification.fetched_rows
    verification = replace(verification, fetched_rows=fetched_rows)
    is_equal_throughout = verification.is_equal and verification.is_of_every_row
    if is_equal_throughout and read.moment == moment:
        verification = replace(verification, moment=read.moment)
    record_candidates(mirror, [])
    if accepted is not None and accepted == verification.applied.deleted - before.deleted:
        record_accepted(mirror, accepted)
    write_verification(mirror, verification)
    pause_point("reconciled")
    warnings = [one for one in (mirror.shape.warning(), warning) if one]
    return verification, advanced, "\n".join(warnings) or None


def _apply_landed(read: TableRead) -> Applied:
    """Apply the landed rows to the mirror."""
    mirror, landed = read.pair.mirror, read.landed
    check_returned(mirror, landed)
    is_new = not mirror.shape.exists()
    if landed.rows:
        record_anomalies(read.pair, landed, list(read.flagged))
    if read.bulk:
        read.bulk.forget(mirror.cursor)
        if is_new and landed.rows:
            return mirror.promote(landed)
    applied = mirror.prepare()
    read.pair.source.check_dropped(mirror.shape.vanished_names())
    if read.window.bound is None:
        mirror.compare_all_rows()
    if landed.rows:
        mirror.check_landed(landed)
        applied += mirror.not_counted_yet(mirror.upsert(landed, is_logged=not is_new))
    return applied


def _landed_cursor(read: TableRead) -> CursorValues | None:
    """The values of the cursor that have landed; None if nothing has."""
    mirror, column = read.pair.mirror, read.pair.mirror.table.cursor_column
    if column is None or not read.landed.rows:
        return None
    field = read.landed.columns[mirror.table.columns.index(column)]
    return CursorValues(mirror.cursor, read.landed.relation, field, mirror.limits.outliers)
