"""The key bitmaps of the mirror, in the same form as those of `mysql/bitmaps.py`."""

from common.rows import one_row
from extract.mirror.literals import mirror_condition
from extract.mirror.table import MirrorTable
from extract.ranges import KeyRange


def mirror_bitmaps(mirror: MirrorTable, key_range: KeyRange) -> str:
    """The keys of a range of the mirror, as sorted `base:bits` joined by commas."""
    key = mirror.table.key_columns
    name = key[0].quoted
    offset = f"{name} & 63"
    if key[0].mirror_type.startswith("numeric"):
        offset = f"mod({name}, 64)"
    mirror.cursor.execute(
        f"select coalesce(string_agg(base || ':' || bits, ',' order by base), '') from ("
        f"select {name} - ({offset}) as base,"
        f" to_hex(bit_or(1::bigint << ({offset})::integer)) as bits"
        f" from {mirror.qualified} where {mirror_condition(key, key_range)}"
        f" group by 1) as sets"
    )
    (bitmaps,) = one_row(mirror.cursor)
    return str(bitmaps)
