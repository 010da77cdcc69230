"""Tables without a key: every run reads all rows, and the mirror is kept equal as a multiset.

Without a key, equal rows cannot be distinguished. So two multisets are equal if each row occurs
equally often in both. Such a table has no entries in the change log.
"""

from dataclasses import dataclass
from datetime import datetime

from common.errors import DeletesRefused
from common.rows import one_row, one_value
from extract.compare.guard import allowed_deletes
from extract.landed import Landed
from extract.mirror.copying import copy_chunks, flagged_conditions
from extract.mirror.digests import DIGEST, mirror_row_digest
from extract.mirror.table import Applied, MirrorTable
from extract.mirror.verification import Verification
from extract.pair import TablePair
from extract.source import Fields, Pieces

METHOD = "every row, as a multiset"


@dataclass(frozen=True)
class Multiset:
    """All rows of the source's table in a temporary one, with the source's digest of each.

    `flagged` are the conditions of the flagged chunks.
    """

    landed: Landed
    pieces: Pieces | None
    flagged: list[str]
    read_at: datetime


def apply_rows(mirror: MirrorTable, rows: Multiset, accepted_deletes: int | None) -> Verification:
    """Make the mirror equal to the landed rows, as a multiset. Raises DeletesRefused."""
    landed, cursor = rows.landed, mirror.cursor
    _number_rows(mirror, rows)
    gone = _count(mirror, "rows_stored", "rows_landed")
    # without a key, a changed row is one row deleted and one inserted
    changed = min(gone, _count(mirror, "rows_landed", "rows_stored"))
    lost = gone - changed
    allowed = allowed_deletes(mirror, landed.rows == 0, rows.read_at)
    if lost > allowed and lost != accepted_deletes:
        raise DeletesRefused(mirror.name, lost, allowed, mirror.count(), [])
    cursor.execute(
        f"delete from {mirror.qualified} where ctid in (select rows_stored.place from rows_stored"
        " left join rows_landed using (row_digest, copy) where rows_landed.place is null)"
    )
    deleted = cursor.rowcount - changed
    cursor.execute(
        f"insert into {mirror.qualified} ({', '.join(mirror.columns)})"
        f" select {', '.join(landed.columns)} from {landed.relation} as landed where ctid in ("
        "select rows_landed.place from rows_landed left join rows_stored using (row_digest, copy)"
        " where rows_stored.place is null)"
    )
    applied = Applied(inserted=cursor.rowcount - changed, updated=changed, deleted=deleted)
    emptied = 0
    for name in mirror.shape.vanished_columns():
        cursor.execute(f"update {mirror.qualified} set {name} = null where {name} is not null")
        emptied += cursor.rowcount
    mirror.renew_version(applied.rows + emptied)
    return verify_rows(mirror, rows, applied)


def verify_rows(mirror: MirrorTable, rows: Multiset, applied: Applied) -> Verification:
    """Compare the mirror with the landed rows, by the digests of both sides."""
    _number_rows(mirror, rows)
    different = _count(mirror, "rows_stored", "rows_landed")
    different += _count(mirror, "rows_landed", "rows_stored")
    for name in mirror.shape.vanished_columns():
        mirror.cursor.execute(f"select count({name}) from {mirror.qualified}")
        different += one_value(mirror.cursor)
    return Verification(
        table_name=mirror.name,
        source_rows=rows.landed.rows,
        mirror_rows=mirror.count(),
        applied=applied,
        late_rows=0,
        repaired_rows=0,
        compared_rows=rows.landed.rows,
        is_equal=different == 0,
        checked_from=rows.read_at,
        checked_to=rows.read_at,
        oldest_compared_at=rows.read_at,
        method=METHOD,
        different_rows=different,
        fetched_rows=rows.landed.rows,
    )


def read_rows(pair: TablePair, read_at: datetime) -> Multiset:
    """Read the whole table into a temporary one."""
    table, cursor = pair.mirror.table, pair.mirror.cursor
    columns = tuple(f"c{number}" for number, _ in enumerate(table.columns, start=1))
    types = [column.mirror_type for column in table.columns]
    names = ", ".join(f"{name} {kind}" for name, kind in zip(columns, types, strict=True))
    pieces = None
    while True:
        cursor.execute("drop table if exists rows_read")
        cursor.execute(f"create temporary table rows_read ({names}, {DIGEST} text) on commit drop")
        read = pair.source.read(Fields(table.columns, has_digest=True, pieces=pieces))
        chunks = pair.source.reporting("fetched", read, table.estimated_rows)
        copied = copy_chunks(cursor, "rows_read", chunks, table.name)
        cursor.execute(f"select exists (select from rows_read where {DIGEST} is null)")
        if pieces or not one_value(cursor):
            break
        pieces = pair.source.pieces_of()
    landed = Landed("rows_read", columns, sum(chunk.rows for chunk in copied))
    return Multiset(landed, pieces, flagged_conditions(copied), read_at)


def _number_rows(mirror: MirrorTable, rows: Multiset) -> None:
    """Number the copies of each row on both sides, in two temporary tables."""
    cursor = mirror.cursor
    cursor.execute("drop table if exists rows_landed, rows_stored")
    stored = mirror_row_digest(mirror.table.columns, rows.pieces)
    for name, relation, digest in (
        ("rows_landed", rows.landed.relation, DIGEST),
        ("rows_stored", mirror.qualified, stored),
    ):
        cursor.execute(
            f"create temporary table {name} on commit drop as"
            f" select place, row_digest, row_number() over (partition by row_digest) as copy"
            f" from (select ctid as place, {digest} as row_digest from {relation}) as digests"
        )


def _count(mirror: MirrorTable, one: str, other: str) -> int:
    """How many rows of one multiset have no match in the other."""
    mirror.cursor.execute(
        f"select count(*) from {one} left join {other} using (row_digest, copy)"
        f" where {other}.place is null"
    )
    (rows,) = one_row(mirror.cursor)
    return int(rows)
