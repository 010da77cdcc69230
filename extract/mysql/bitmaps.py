"""The key bitmaps of the source: 64 consecutive keys as one number of 64 bits.

`mirror/bitmaps.py` writes those of the mirror, `compare/bitmaps.py` finds the differences.
"""

from collections.abc import Callable, Iterator

import pymysql

from extract.mysql.errors import STATEMENT_CUT, error_number
from extract.mysql.literals import source_condition
from extract.mysql.session import Session
from extract.ranges import KeyRange
from extract.source import Chunk
from extract.table import TableDescription


def source_bitmaps(
    session: Session,
    table: TableDescription,
    key_range: KeyRange,
    read_keys: Callable[[], Iterator[Chunk]],
) -> str:
    """The keys of a range at the source, as sorted `base:bits` joined by commas.

    `read_keys` lists the keys, in case the server cannot group so many at once.
    """
    name = table.key_columns[0].source.name
    base = f"{name} - cast({name} & 63 as signed)"
    grouped = (
        f"select {base} as base, lower(hex(bit_or(1 << ({name} & 63)))) as bits"
        f" from {table.qualified} where {source_condition(table.key_columns, key_range)}"
        f" group by {base}"
    )
    try:
        (joined,), warnings = session.row_with_warnings(
            "select cast(group_concat(base, ':', bits order by base) as char)"
            f" from ({grouped}) as sets"
        )
    except pymysql.err.Error as error:
        if error_number(error) not in STATEMENT_CUT:
            raise
        joined, warnings = "", 1
    return (joined or "") if not warnings else _bitmaps_of_keys(read_keys())


def _bitmaps_of_keys(chunks: Iterator[Chunk]) -> str:
    sets: dict[int, int] = {}
    for chunk in chunks:
        for line in chunk.data.split(b"\n"):
            value = int(line.strip(b"'"))
            base = value - value % 64
            sets[base] = sets.get(base, 0) | 1 << value % 64
    return ",".join(f"{base}:{bits:x}" for base, bits in sorted(sets.items()))
