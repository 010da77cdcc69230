"""Tables without a key: read whole at every run, and kept equal as a bag of rows.

Without a key a row cannot be told from its double, so two bags are equal when each row stands in
both as often. Such a table has no entries in the change log.
"""

from dataclasses import dataclass
from datetime import datetime

from psycopg2.extensions import cursor as Cursor

from common.errors import DeletesRefused
from extract.copying import copy_chunks, suspects_of
from extract.digests import DIGEST, Pieces, mirror_row_digest, pieces_of_widest, source_row_digest
from extract.files import Landed
from extract.guard import allowed_deletes
from extract.mirror import Applied, MirrorTable
from extract.reader import Reader, column_field, computed_field
from extract.types import postgres_type
from extract.verification import Verification

METHOD = "every row, as a bag"


@dataclass(frozen=True)
class Bag:
    """All rows of the source's table in a temporary one, with the digest that it made of each.

    `suspects` are the conditions of the chunks that may hold a value PostgreSQL cannot.
    """

    landed: Landed
    pieces: Pieces | None
    suspects: list[str]
    read_at: datetime


def bring_bag(
    cursor: Cursor, mirror: MirrorTable, bag: Bag, accepted_deletes: int | None
) -> Verification:
    """Make the mirror the bag of the rows that landed. Raises DeletesRefused."""
    landed = bag.landed
    _number_rows(cursor, mirror, bag)
    gone = _count(cursor, "bag_stored", "bag_landed")
    # without a key, a row that changed is one that went and one that came
    changed = min(gone, _count(cursor, "bag_landed", "bag_stored"))
    lost = gone - changed
    allowed = allowed_deletes(cursor, mirror, landed.rows == 0, bag.read_at)
    if lost > allowed and lost != accepted_deletes:
        raise DeletesRefused(mirror.name, lost, allowed, mirror.count(cursor), [])
    cursor.execute(
        f"delete from {mirror.qualified} where ctid in (select bag_stored.place from bag_stored"
        " left join bag_landed using (row_digest, copy) where bag_landed.place is null)"
    )
    deleted = cursor.rowcount - changed
    cursor.execute(
        f"insert into {mirror.qualified} ({', '.join(mirror.columns)})"
        f" select {', '.join(landed.columns)} from {landed.relation} as landed where ctid in ("
        "select bag_landed.place from bag_landed left join bag_stored using (row_digest, copy)"
        " where bag_stored.place is null)"
    )
    applied = Applied(inserted=cursor.rowcount - changed, updated=changed, deleted=deleted)
    for name in mirror.vanished_columns(cursor):
        cursor.execute(f"update {mirror.qualified} set {name} = null where {name} is not null")
    return verify_bag(cursor, mirror, bag, applied)


def verify_bag(cursor: Cursor, mirror: MirrorTable, bag: Bag, applied: Applied) -> Verification:
    """Compare the mirror with the bag of the rows that landed, by the digests of both sides."""
    _number_rows(cursor, mirror, bag)
    different = _count(cursor, "bag_stored", "bag_landed")
    different += _count(cursor, "bag_landed", "bag_stored")
    for name in mirror.vanished_columns(cursor):
        cursor.execute(f"select count({name}) from {mirror.qualified}")
        different += cursor.fetchone()[0]
    return Verification(
        table_name=mirror.name,
        source_rows=bag.landed.rows,
        mirror_rows=mirror.count(cursor),
        applied=applied,
        late_rows=0,
        repaired_rows=0,
        compared_rows=bag.landed.rows,
        is_equal=different == 0,
        checked_from=bag.read_at,
        checked_to=bag.read_at,
        oldest_compared_at=bag.read_at,
        method=METHOD,
        different_rows=different,
        fetched_rows=bag.landed.rows,
    )


def read_bag(cursor: Cursor, reader: Reader, read_at: datetime) -> Bag:
    """Read the whole table into a temporary one."""
    table = reader.table
    columns = tuple(f"c{number}" for number, _ in enumerate(table.columns, start=1))
    types = map(postgres_type, table.columns)
    names = ", ".join(f"{name} {kind}" for name, kind in zip(columns, types, strict=True))
    fields = [column_field(column) for column in table.columns]
    pieces = None
    while True:
        cursor.execute("drop table if exists bag_read")
        cursor.execute(f"create temporary table bag_read ({names}, {DIGEST} text) on commit drop")
        digest = computed_field(source_row_digest(table.columns, pieces), quoted=False)
        chunks = reader.telling("fetched", reader.read([*fields, digest]), table.estimated_rows)
        copied = copy_chunks(cursor, "bag_read", chunks, table.declaration.name)
        cursor.execute(f"select exists (select from bag_read where {DIGEST} is null)")
        if pieces or not cursor.fetchone()[0]:
            break
        pieces = pieces_of_widest(reader, ["true"])
    rows = sum(chunk.rows for chunk in copied)
    return Bag(Landed("bag_read", columns, rows), pieces, suspects_of(copied), read_at)


def _number_rows(cursor: Cursor, mirror: MirrorTable, bag: Bag) -> None:
    """Number the copies of each row on both sides, in two temporary tables."""
    cursor.execute("drop table if exists bag_landed, bag_stored")
    stored = mirror_row_digest(mirror.table.columns, bag.pieces)
    for name, relation, digest in (
        ("bag_landed", bag.landed.relation, DIGEST),
        ("bag_stored", mirror.qualified, stored),
    ):
        cursor.execute(
            f"create temporary table {name} on commit drop as"
            f" select place, row_digest, row_number() over (partition by row_digest) as copy"
            f" from (select ctid as place, {digest} as row_digest from {relation}) as digests"
        )


def _count(cursor: Cursor, one: str, other: str) -> int:
    """How many rows of one bag have no match in the other."""
    cursor.execute(
        f"select count(*) from {one} left join {other} using (row_digest, copy)"
        f" where {other}.place is null"
    )
    return cursor.fetchone()[0]
