"""Reconcile: compare source and mirror, and make the mirror equal to the source.

If the digests of a range are equal on both sides, its rows are equal. Otherwise the range is
compared row by row, and the rows that differ are read again: the rows that the source returns are
stored, the others are deleted. So each row of the mirror equals what the source contained at some
moment of the comparison.

Every run compares all rows of a small table, and of a table whose key the two servers order
differently. Of a large table it compares all keys, and the rows of the ranges that are due, so that
each range is compared within `verify_within_seconds`.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil
from typing import TypeVar

from common.errors import TableError
from common.pause import pause_point
from common.rows import one_row
from extract.compare.anomalies import record_anomalies
from extract.compare.bitmaps import difference
from extract.compare.divided import divided, is_large
from extract.compare.findings import Findings
from extract.compare.keyless import apply_rows, read_rows, verify_rows
from extract.mirror.bitmaps import mirror_bitmaps
from extract.mirror.digests import mirror_digest, mirror_key_digest
from extract.mirror.ranges import StoredRange, StoredRanges
from extract.mirror.table import Applied, MirrorTable
from extract.mirror.verification import Verification, write_verification
from extract.pair import TablePair
from extract.ranges import WHOLE, KeyRange, is_integer
from extract.source import Digest
from warehouse.connection import transaction

EVERY_ROW = "every row"
EVERY_KEY = "every key"
Side = TypeVar("Side")


def reconcile(
    pair: TablePair,
    applied: Applied,
    late_before: datetime | None = None,
    accepted_deletes: int | None = None,
) -> Verification:
    """Make the mirror equal to the source, within the delete guard, in the caller's transaction.

    Of a large table, this compares the keys; compare_due compares the rows.
    `applied` is what was applied before, from the window; nothing of a table without a key. Rows
    stamped before `late_before`, the window's lower bound, count as late. Raises DeletesRefused.
    """
    mirror, checked_from = pair.mirror, pair.source.as_of()
    if not mirror.keys:
        return _reconcile_multiset(pair, checked_from, accepted_deletes)
    findings = Findings(pair)
    ranges = divided(pair)
    if is_large(ranges, mirror):
        compare_keys = _compare_bitmaps if is_integer(mirror.table.key_columns) else _compare_keys
        method, counted = EVERY_KEY, compare_keys(pair, ranges, findings)
    else:
        method, counted = EVERY_ROW, _compare_rows(pair, ranges, findings)
    settled = findings.settle(counted.source, late_before, accepted_deletes)
    mirror_rows = counted.mirror + settled.applied.inserted - settled.applied.deleted
    return Verification(
        table_name=mirror.name,
        source_rows=counted.source,
        mirror_rows=mirror_rows,
        applied=applied + mirror.not_counted_yet(settled.applied),
        late_rows=settled.late_rows,
        late_by=settled.late_by,
        repaired_rows=settled.applied.inserted + settled.applied.updated,
        compared_rows=counted.source if method == EVERY_ROW else 0,
        is_equal=settled.is_equal,
        checked_from=checked_from,
        checked_to=pair.source.clock(),
        oldest_compared_at=checked_from if method == EVERY_ROW else _oldest(ranges),
        method=method,
        fetched_rows=findings.fetched_rows,
    )


def _reconcile_multiset(
    pair: TablePair, read_at: datetime, accepted_deletes: int | None
) -> Verification:
    rows = read_rows(pair, read_at)
    record_anomalies(pair, rows.landed, rows.flagged)
    return apply_rows(pair.mirror, rows, accepted_deletes)


def verify(pair: TablePair) -> Verification:
    """Compare every row of the table and change nothing. Raises TableError."""
    mirror, checked_from = pair.mirror, pair.source.as_of()
    if not mirror.keys:
        return verify_rows(mirror, read_rows(pair, checked_from), Applied())
    if not mirror.shape.has_its_key():
        raise TableError(
            mirror.name,
            "the mirror has another key than is declared",
            "Start a run, which gives it that key, then verify.",
        )
    findings = Findings(pair)
    counted = _compare_rows(pair, divided(pair), findings)
    different_rows, differences = findings.name_differences(counted.source)
    return Verification(
        table_name=mirror.name,
        source_rows=counted.source,
        mirror_rows=counted.mirror,
        applied=Applied(),
        late_rows=0,
        repaired_rows=0,
        compared_rows=counted.source,
        is_equal=different_rows == 0,
        checked_from=checked_from,
        checked_to=pair.source.clock(),
        oldest_compared_at=checked_from,
        method=EVERY_ROW,
        different_rows=different_rows,
        differences=differences,
        fetched_rows=findings.fetched_rows,
    )


def compare_due(
    pair: TablePair,
    verification: Verification,
    check_lock: Callable[[], None] = lambda: None,
    everything: bool = False,
    late_before: datetime | None = None,
) -> Verification:
    """Compare the rows of the ranges of a large table that are due, and repair them.

    Each batch is a transaction, so that an interrupted comparison continues where it was. Writes
    the run's verification with these ranges included, and returns it. Raises DeletesRefused.
    """
    mirror, source = pair.mirror, pair.source
    if verification.method != EVERY_KEY:
        return verification
    ranges = divided(pair)
    due = ranges if everything else _due(mirror, ranges, source.clock())
    size = mirror.limits.ranges_per_batch
    batches = [due[start : start + size] for start in range(0, len(due), size)]
    # if a row lies in two ranges by now, the table is compared as a whole
    for number, batch in enumerate(batches if ranges else [[]]):
        with transaction(mirror.connection):
            turn = (number * size, len(due))
            verification = _compare_batch(pair, batch, verification, late_before, turn)
            write_verification(mirror, verification)
            check_lock()
        pause_point("batch compared")
    ranges = StoredRanges(mirror).read()
    verification = replace(
        verification,
        checked_to=source.clock(),
        oldest_compared_at=_oldest(ranges),
        method=f"{EVERY_KEY}, and the rows of {len(due)} of {len(ranges)} ranges",
    )
    write_verification(mirror, verification)
    return verification


@dataclass(frozen=True)
class Counted:
    """The number of rows of each side when they were compared."""

    source: int
    mirror: int


def _compare_bitmaps(pair: TablePair, ranges: list[StoredRange], findings: Findings) -> Counted:
    """Compare the keys of all ranges by bitmaps, some neighbouring ranges at a time."""
    stored = StoredRanges(pair.mirror)
    source_rows = mirror_rows = 0
    groups = list(stored.scans(ranges))
    sides = _side_by_side(
        [keys for _, keys in groups],
        pair.source.key_bitmaps,
        lambda keys: mirror_bitmaps(pair.mirror, keys),
        lambda done: pair.source.report("of keys compared", done, len(groups), "scans"),
    )
    grown = []
    for (group, _), (source, mirrored) in zip(groups, sides, strict=True):
        found = difference(source, mirrored)
        findings.add(found.gone, found.missing)
        source_rows += found.source_rows
        mirror_rows += found.mirror_rows
        if stored.has_grown(group, found.mirror_rows):
            grown += group
    stored.cut(grown)
    return Counted(source_rows, mirror_rows)


def _compare_keys(pair: TablePair, ranges: list[StoredRange], findings: Findings) -> Counted:
    """Compare the keys of all ranges: by a digest of the range, and one by one if that differs."""
    sides = _side_by_side(
        [one.keys for one in ranges],
        pair.source.key_digest,
        lambda key_range: mirror_key_digest(pair.mirror, key_range),
        lambda done: pair.source.report("of keys compared", done, len(ranges), "ranges"),
    )
    return _compare_digests(pair, ranges, sides, findings.compare_keys)


def _compare_rows(
    pair: TablePair,
    ranges: list[StoredRange],
    findings: Findings,
    turn: tuple[int, int] | None = None,
) -> Counted:
    """Compare the rows of some ranges: by a digest of the range, and row by row if that differs.

    Without ranges, the table is compared as a whole. `turn` is how many ranges were compared before
    these, and how many there are in all.
    """
    mirror = pair.mirror
    if not ranges:
        return Counted(findings.compare_rows(WHOLE), mirror.count())
    before, expected = turn or (0, len(ranges))
    vanished = mirror.shape.vanished_columns()
    sides = _side_by_side(
        [one.keys for one in ranges],
        pair.source.digest,
        lambda key_range: mirror_digest(mirror, key_range, vanished),
        lambda done: pair.source.report("compared", before + done, expected, "ranges"),
    )
    return _compare_digests(pair, ranges, sides, findings.compare_rows)


def _compare_digests(
    pair: TablePair,
    ranges: list[StoredRange],
    sides: Iterator[tuple[Digest, Digest]],
    compare: Callable[[KeyRange], int],
) -> Counted:
    """Compare the ranges of which the digests of both sides differ, and divide those that grew.

    `compare` returns the number of rows of a range at the source.
    """
    stored = StoredRanges(pair.mirror)
    source_rows = mirror_rows = 0
    grown = []
    for one, (source, mirrored) in zip(ranges, sides, strict=True):
        mirror_rows += mirrored.rows
        if source.is_fast and source.sha256 and source != mirrored:
            source = pair.source.exact_digest(one.keys, mirrored)
        if source.sha256 is None or source != mirrored:
            source_rows += compare(one.keys)
        else:
            source_rows += source.rows
        if stored.has_grown([one], mirrored.rows):
            grown.append(one)
    stored.cut(grown)
    return Counted(source_rows, mirror_rows)


def _compare_batch(
    pair: TablePair,
    batch: list[StoredRange],
    verification: Verification,
    late_before: datetime | None,
    turn: tuple[int, int],
) -> Verification:
    mirror, compared_at = pair.mirror, pair.source.as_of()
    findings = Findings(pair)
    counted = _compare_rows(pair, batch, findings, turn)
    findings.confirm_gone()
    settled = findings.settle(counted.source, late_before)
    StoredRanges(mirror).mark_compared(batch, compared_at)
    mirror_rows = verification.mirror_rows + settled.applied.inserted - settled.applied.deleted
    return replace(
        verification,
        applied=verification.applied + mirror.not_counted_yet(settled.applied),
        late_rows=verification.late_rows + settled.late_rows,
        late_by=max(filter(None, (verification.late_by, settled.late_by)), default=None),
        repaired_rows=verification.repaired_rows
        + settled.applied.inserted
        + settled.applied.updated,
        compared_rows=verification.compared_rows + counted.source,
        fetched_rows=verification.fetched_rows + findings.fetched_rows,
        is_equal=verification.is_equal and settled.is_equal,
        mirror_rows=mirror_rows,
    )


def _due(mirror: MirrorTable, ranges: list[StoredRange], now: datetime) -> list[StoredRange]:
    """The ranges that are due: as many as the time since the last run requires, oldest first.

    With regular runs, each range is compared once within `verify_within_seconds`.
    """
    within = timedelta(seconds=mirror.table.declaration.verify_within_seconds)
    mirror.cursor.execute(
        "select max(checked_to) from dwh.mirror_verification"
        " where table_name = %s and run_id <> %s",
        (mirror.name, mirror.run_id),
    )
    (last,) = one_row(mirror.cursor)
    # if the clock was set back, the last run lies in the future, and its age is unknown
    elapsed = min(now - last, within) if last and last <= now else within
    never, known = [], []
    for stored in ranges:
        if stored.compared_at is None or stored.compared_at > now:
            never.append(stored)
        else:
            known.append((stored.compared_at, stored))
    known.sort(key=lambda pair: pair[0])
    share = ceil(len(ranges) * (elapsed / within))
    overdue = sum(at <= now + elapsed - within for at, _ in known)
    return never + [stored for _, stored in known[: max(share - len(never), overdue, 0)]]


def _oldest(ranges: list[StoredRange]) -> datetime | None:
    """When the range that waits longest was compared; None if one was never compared."""
    times = [stored.compared_at for stored in ranges if stored.compared_at is not None]
    return min(times) if len(times) == len(ranges) else None


def _side_by_side(
    ranges: list[KeyRange],
    at_source: Callable[[KeyRange], Side],
    in_mirror: Callable[[KeyRange], Side],
    report: Callable[[int], None],
) -> Iterator[tuple[Side, Side]]:
    """Query both servers for each range, the source one range ahead, so that both work at once."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        ahead: deque[Future[Side]] = deque()
        for position, key_range in enumerate(ranges):
            while len(ahead) < 2 and position + len(ahead) < len(ranges):
                ahead.append(thread.submit(at_source, ranges[position + len(ahead)]))
            mirrored = in_mirror(key_range)
            yield ahead.popleft().result(), mirrored
            report(position + 1)
