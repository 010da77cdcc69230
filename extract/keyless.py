"""Tables without a key: read whole at every run, and kept equal as a bag of rows.

Without a key a row cannot be told from its double, so two bags are equal when each row stands in
both as often. Such a table has no entries in the change log.
"""

from datetime import datetime

from psycopg2.extensions import cursor as Cursor

from common.errors import DeletesRefused
from extract.copying import copy_chunks, suspects_of
from extract.guard import allowed_deletes
from extract.mirror import Applied, MirrorTable
from extract.reader import Reader, column_field
from extract.types import postgres_type
from extract.verification import Verification

METHOD = "every row, as a bag"


def bring_bag(
    cursor: Cursor,
    mirror: MirrorTable,
    landed: str,
    columns: tuple[str, ...],
    rows: int,
    read_at: datetime,
    accepted_deletes: int | None,
) -> Verification:
    """Make the mirror the bag of the rows that landed. Raises DeletesRefused."""
    _number_rows(cursor, mirror, landed, columns)
    gone = _count(cursor, "bag_stored", "bag_landed")
    # without a key, a row that changed is one that went and one that came
    changed = min(gone, _count(cursor, "bag_landed", "bag_stored"))
    lost = gone - changed
    allowed = allowed_deletes(cursor, mirror, rows == 0, read_at)
    if lost > allowed and lost != accepted_deletes:
        raise DeletesRefused(mirror.name, lost, allowed, mirror.count(cursor), [])
    cursor.execute(
        f"delete from {mirror.qualified} where ctid in (select bag_stored.place from bag_stored"
        " left join bag_landed using (row_md5, copy) where bag_landed.place is null)"
    )
    deleted = cursor.rowcount - changed
    cursor.execute(
        f"insert into {mirror.qualified} ({', '.join(mirror.columns)})"
        f" select {', '.join(columns)} from {landed} as landed where ctid in ("
        "select bag_landed.place from bag_landed left join bag_stored using (row_md5, copy)"
        " where bag_stored.place is null)"
    )
    applied = Applied(inserted=cursor.rowcount - changed, updated=changed, deleted=deleted)
    for name in mirror.vanished_columns(cursor):
        cursor.execute(f"update {mirror.qualified} set {name} = null where {name} is not null")
    return verify_bag(cursor, mirror, landed, columns, rows, read_at, applied)


def verify_bag(
    cursor: Cursor,
    mirror: MirrorTable,
    landed: str,
    columns: tuple[str, ...],
    rows: int,
    read_at: datetime,
    applied: Applied,
) -> Verification:
    """Compare the mirror with the bag of the rows that landed."""
    _number_rows(cursor, mirror, landed, columns)
    different = _count(cursor, "bag_stored", "bag_landed")
    different += _count(cursor, "bag_landed", "bag_stored")
    for name in mirror.vanished_columns(cursor):
        cursor.execute(f"select count({name}) from {mirror.qualified}")
        different += cursor.fetchone()[0]
    return Verification(
        table_name=mirror.name,
        source_rows=rows,
        mirror_rows=mirror.count(cursor),
        applied=applied,
        late_rows=0,
        repaired_rows=0,
        compared_rows=rows,
        is_equal=different == 0,
        checked_from=read_at,
        checked_to=read_at,
        oldest_compared_at=read_at,
        method=METHOD,
        different_rows=different,
    )


def read_bag(cursor: Cursor, reader: Reader) -> tuple[str, tuple[str, ...], int, list[str]]:
    """Read the whole table into a temporary one: its name, its columns, and how many rows.

    Last come the conditions of the chunks that may hold a value PostgreSQL cannot.
    """
    columns = tuple(f"c{number}" for number, _ in enumerate(reader.table.columns, start=1))
    types = map(postgres_type, reader.table.columns)
    names = ", ".join(f"{name} {kind}" for name, kind in zip(columns, types, strict=True))
    cursor.execute("drop table if exists bag_read")
    cursor.execute(f"create temporary table bag_read ({names}) on commit drop")
    chunks = reader.read([column_field(column) for column in reader.table.columns])
    copied = copy_chunks(cursor, "bag_read", chunks, reader.table.declaration.name)
    return "bag_read", columns, sum(chunk.rows for chunk in copied), suspects_of(copied)


def _number_rows(
    cursor: Cursor, mirror: MirrorTable, landed: str, columns: tuple[str, ...]
) -> None:
    """Number the copies of each row on both sides, in two temporary tables."""
    cursor.execute("drop table if exists bag_landed, bag_stored")
    for name, relation, fields in (
        ("bag_landed", landed, columns),
        ("bag_stored", mirror.qualified, mirror.columns),
    ):
        text = f"md5(row({', '.join(fields)})::text)"
        cursor.execute(
            f"create temporary table {name} on commit drop as"
            f" select ctid as place, {text} as row_md5,"
            f" row_number() over (partition by {text}) as copy from {relation}"
        )


def _count(cursor: Cursor, one: str, other: str) -> int:
    """How many rows of one bag have no match in the other."""
    cursor.execute(
        f"select count(*) from {one} left join {other} using (row_md5, copy)"
        f" where {other}.place is null"
    )
    return cursor.fetchone()[0]
