"""Reconcile: compare source and mirror, and bring the mirror to what the source holds.

A range whose digests are equal on both sides is equal. One that differs is compared row by row;
rows that differ are read again; what the source then returns is stored, what it does not return
is deleted. So each key of the mirror equals what the source held at some moment of the pass.

Small tables, and those whose key the two servers order differently, are compared whole in every
run. Of a large table every run compares all keys, exactly, and a share of the rows, so that each
range has its turn within `verify_within`.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil
from typing import TypeVar

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from common.errors import TableError
from common.pause import pause_point
from extract.anomalies import note_anomalies
from extract.digests import mirror_digest, source_digest
from extract.findings import Findings
from extract.keyless import bring_bag, read_bag, verify_bag
from extract.keysets import difference, mirror_bitmaps, source_bitmaps
from extract.mirror import Applied, MirrorTable
from extract.ranges import WHOLE, KeyRange, can_be_ranged, is_integer
from extract.reader import Reader
from extract.stored_ranges import StoredRange, StoredRanges, scans
from extract.verification import Verification, write_verification
from warehouse.connection import transaction

RANGES_COMPARED_WHOLE = 10
"""A table of no more ranges is compared whole in every run."""
RANGES_PER_BATCH = 100
"""How many ranges are compared and settled in one transaction."""

EVERY_ROW = "every row"
EVERY_KEY = "every key"
Side = TypeVar("Side")


def reconcile(
    cursor: Cursor,
    reader: Reader,
    mirror: MirrorTable,
    applied: Applied,
    late_before: datetime | None = None,
    accepted_deletes: int | None = None,
) -> Verification:
    """Make the mirror equal to the source, within the delete guard, in the caller's transaction.

    Of a large table with an integer key, this compares the keys; compare_due does the rows.
    `applied` is what the run's window brought already. Rows stamped before `late_before`, the
    window's lower bound, count as late. Raises DeletesRefused.
    """
    checked_from = reader.session.as_of()
    if not mirror.keys:
        bag = read_bag(cursor, reader, checked_from)
        relation, columns = bag.landed.relation, bag.landed.columns
        note_anomalies(cursor, reader, mirror, relation, columns, bag.suspects)
        brought = bring_bag(cursor, mirror, bag, accepted_deletes)
        return replace(brought, applied=applied + brought.applied)
    findings = Findings(cursor, reader, mirror)
    ranges = _ranges(cursor, mirror)
    if is_large(ranges, mirror):
        method, counted = EVERY_KEY, _compare_keys(cursor, reader, mirror, ranges, findings)
    else:
        method, counted = EVERY_ROW, _compare_rows(cursor, reader, mirror, ranges, findings)
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
        checked_to=reader.session.clock(),
        oldest_compared_at=checked_from if method == EVERY_ROW else _oldest(ranges),
        method=method,
        fetched_rows=findings.fetched_rows,
    )


def verify(cursor: Cursor, reader: Reader, mirror: MirrorTable) -> Verification:
    """Compare every row of the table and change nothing. Raises TableError."""
    checked_from = reader.session.as_of()
    if not mirror.keys:
        return verify_bag(cursor, mirror, read_bag(cursor, reader, checked_from), Applied())
    if not mirror.has_its_key(cursor):
        raise TableError(
            mirror.name,
            "the mirror has another key than is declared",
            "A run gives it that key; verify after it.",
        )
    findings = Findings(cursor, reader, mirror)
    counted = _compare_rows(cursor, reader, mirror, _ranges(cursor, mirror), findings)
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
        checked_to=reader.session.clock(),
        oldest_compared_at=checked_from,
        method=EVERY_ROW,
        different_rows=different_rows,
        differences=differences,
        fetched_rows=findings.fetched_rows,
    )


def compare_due(
    connection: Connection,
    reader: Reader,
    mirror: MirrorTable,
    verification: Verification,
    check_lock: Callable[[], None] = lambda: None,
    everything: bool = False,
    late_before: datetime | None = None,
) -> Verification:
    """Compare the rows of the ranges of a large table whose turn it is, and bring them right.

    Each batch is a transaction, so an interrupted pass goes on where it was. Returns the run's
    verification with what this adds to it, and writes it. Raises DeletesRefused.
    """
    if not mirror.keys:
        return verification
    with connection.cursor() as cursor:
        ranges = _ranges(cursor, mirror)
        if not is_large(ranges, mirror):
            return verification
        due = ranges if everything else _due(cursor, mirror, ranges, reader.session.clock())
        for start in range(0, len(due), RANGES_PER_BATCH):
            batch = due[start : start + RANGES_PER_BATCH]
            with transaction(connection):
                verification = _compare_batch(
                    cursor, reader, mirror, batch, verification, late_before, (start, len(due))
                )
                write_verification(cursor, verification, mirror.run_id)
                check_lock()
            pause_point("batch compared")
        ranges = _ranges(cursor, mirror)
        verification = replace(
            verification,
            checked_to=reader.session.clock(),
            oldest_compared_at=_oldest(ranges),
            method=f"{EVERY_KEY}, and the rows of {len(due)} of {len(ranges)} ranges",
        )
        write_verification(cursor, verification, mirror.run_id)
    return verification


@dataclass(frozen=True)
class Counted:
    """The rows of each side, as they were when compared."""

    source: int
    mirror: int


def is_large(ranges: list[StoredRange], mirror: MirrorTable) -> bool:
    """True where a run compares every key, and of the rows a share."""
    return len(ranges) > RANGES_COMPARED_WHOLE and is_integer(mirror.table.key_columns)


def _ranges(cursor: Cursor, mirror: MirrorTable) -> list[StoredRange]:
    """The table's ranges, cut the first time it is large enough."""
    if not can_be_ranged(mirror.table.key_columns):
        return [StoredRange(0, WHOLE, None)]
    stored = StoredRanges(cursor, mirror)
    ranges = stored.read()
    if len(ranges) > 1:
        return ranges
    stored.cut(ranges)
    return stored.read()


def _compare_keys(
    cursor: Cursor,
    reader: Reader,
    mirror: MirrorTable,
    ranges: list[StoredRange],
    findings: Findings,
) -> Counted:
    """Compare the keys of all ranges, some neighbours at a time."""
    stored = StoredRanges(cursor, mirror)
    source_rows = mirror_rows = 0
    groups = list(scans(ranges))
    pairs = _side_by_side(
        [keys for _, keys in groups],
        lambda keys: source_bitmaps(reader, keys),
        lambda keys: mirror_bitmaps(cursor, mirror.table, mirror.qualified, keys),
        lambda done: reader.tell("of keys compared", done, len(groups), "scans"),
    )
    grown = []
    for (group, _), (source, mirrored) in zip(groups, pairs, strict=True):
        found = difference(source, mirrored)
        findings.add(found.gone, found.missing)
        source_rows += found.source_rows
        mirror_rows += found.mirror_rows
        if stored.has_grown(group, found.mirror_rows):
            grown += group
    stored.cut(grown)
    return Counted(source_rows, mirror_rows)


def _compare_rows(
    cursor: Cursor,
    reader: Reader,
    mirror: MirrorTable,
    ranges: list[StoredRange],
    findings: Findings,
    turn: tuple[int, int] | None = None,
) -> Counted:
    """Compare the rows of some ranges: by a digest of the range, and by row where that differs.

    `turn` is how many were compared before these, and how many are to be.
    """
    if not can_be_ranged(mirror.table.key_columns):
        return Counted(findings.compare_rows(WHOLE), mirror.count(cursor))
    source_rows = mirror_rows = 0
    before, expected = turn or (0, len(ranges))
    keys = [stored.keys for stored in ranges]
    vanished = mirror.vanished_columns(cursor)
    pairs = _side_by_side(
        keys,
        lambda key_range: source_digest(reader, key_range, reader.is_plain),
        lambda key_range: mirror_digest(
            cursor, mirror.table, mirror.qualified, key_range, vanished
        ),
        lambda done: reader.tell("compared", before + done, expected, "ranges"),
    )
    grown = []
    for stored, (source, mirrored) in zip(ranges, pairs, strict=True):
        mirror_rows += mirrored.rows
        if source.is_plain and source.sha256 and source != mirrored:
            # equal but for values that the mirror cannot hold: where there is one there are more
            source = source_digest(reader, stored.keys, is_plain=False)
            reader.is_plain &= source != mirrored
        if source.sha256 is None or source != mirrored:
            source_rows += findings.compare_rows(stored.keys)
        else:
            source_rows += source.rows
        if StoredRanges(cursor, mirror).has_grown([stored], mirrored.rows):
            grown.append(stored)
    StoredRanges(cursor, mirror).cut(grown)
    return Counted(source_rows, mirror_rows)


def _compare_batch(
    cursor: Cursor,
    reader: Reader,
    mirror: MirrorTable,
    batch: list[StoredRange],
    verification: Verification,
    late_before: datetime | None,
    turn: tuple[int, int],
) -> Verification:
    compared_at = reader.session.as_of()
    findings = Findings(cursor, reader, mirror)
    counted = _compare_rows(cursor, reader, mirror, batch, findings, turn)
    settled = findings.settle(counted.source, late_before)
    StoredRanges(cursor, mirror).mark_compared(batch, compared_at)
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


def _due(
    cursor: Cursor, mirror: MirrorTable, ranges: list[StoredRange], now: datetime
) -> list[StoredRange]:
    """The ranges whose turn it is: as many as the time since the last run asks for, oldest first.

    With a run every so often, each range is compared once in `verify_within`.
    """
    within = timedelta(seconds=mirror.table.declaration.verify_within_seconds)
    cursor.execute(
        "select max(checked_to) from dwh.mirror_verification"
        " where table_name = %s and run_id <> %s",
        (mirror.name, mirror.run_id),
    )
    (last,) = cursor.fetchone()
    # a time to come is of a clock that was set back: nobody knows how long ago it was
    elapsed = min(now - last, within) if last and last <= now else within
    times = [(stored.compared_at, stored) for stored in ranges]
    never = [stored for at, stored in times if at is None or at > now]
    known = [stored for at, stored in times if at is not None and at <= now]
    known.sort(key=lambda stored: stored.compared_at)
    share = ceil(len(ranges) * (elapsed / within))
    overdue = sum(stored.compared_at <= now + elapsed - within for stored in known)
    return never + known[: max(share - len(never), overdue, 0)]


def _oldest(ranges: list[StoredRange]) -> datetime | None:
    """When the range that waits longest was compared; None where one never was."""
    times = [stored.compared_at for stored in ranges]
    return None if None in times else min(times)


def _side_by_side(
    ranges: list[KeyRange],
    at_source: Callable[[KeyRange], Side],
    in_mirror: Callable[[KeyRange], Side],
    tell: Callable[[int], None],
) -> Iterator[tuple[Side, Side]]:
    """Ask both servers about each range, the source one range ahead, so that both work at once."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        ahead: deque[Future[Side]] = deque()
        for position, key_range in enumerate(ranges):
            while len(ahead) < 2 and position + len(ahead) < len(ranges):
                ahead.append(thread.submit(at_source, ranges[position + len(ahead)]))
            mirrored = in_mirror(key_range)
            yield ahead.popleft().result(), mirrored
            tell(position + 1)
