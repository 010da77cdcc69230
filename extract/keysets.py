"""The keys of a large table, compared exactly at every run, for tables with one integer key.

Each side writes the keys of a range as bitmaps of 64 consecutive keys: `base:bits`. Equal text
means equal keys, with no chance in it, and where they differ the bits name the keys.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pymysql
from psycopg2.extensions import cursor as Cursor

from extract.catalog import TableDescription
from extract.column import quoted_source
from extract.ranges import KeyRange, mirror_condition, source_condition
from extract.reader import Reader, column_field
from extract.session import STATEMENT_CUT, error_number
from extract.types import postgres_type, quoted_postgres


@dataclass(frozen=True)
class KeyDifference:
    """The keys of a range that only one side has, and how many each side has in all."""

    source_rows: int
    mirror_rows: int
    gone: list[int]
    missing: list[int]


def source_bitmaps(reader: Reader, key_range: KeyRange) -> str:
    """The keys of a range at the source, as sorted `base:bits` joined by commas."""
    table = reader.table
    (key,) = table.key_columns
    name = quoted_source(key.name)
    base = f"{name} - cast({name} & 63 as signed)"
    grouped = (
        f"select {base} as base, lower(hex(bit_or(1 << ({name} & 63)))) as bits"
        f" from {table.qualified} where {source_condition(table.key_columns, key_range)}"
        f" group by {base}"
    )
    try:
        (joined,), warnings = reader.session.row_with_warnings(
            "select cast(group_concat(base, ':', bits order by base) as char)"
            f" from ({grouped}) as sets"
        )
    except pymysql.err.Error as error:
        if error_number(error) not in STATEMENT_CUT:
            raise
        warnings = 1
    return (joined or "") if not warnings else _bitmaps_of_keys(reader, key_range)


def _bitmaps_of_keys(reader: Reader, key_range: KeyRange) -> str:
    """The same from a list of the keys, where the server cannot group so many at once."""
    sets: dict[int, int] = {}
    (key,) = reader.table.key_columns
    where = source_condition(reader.table.key_columns, key_range)
    for chunk in reader.read_where([column_field(key)], where):
        for line in chunk.data.split(b"\n"):
            value = int(line.strip(b"'"))
            base = value - value % 64
            sets[base] = sets.get(base, 0) | 1 << value % 64
    return ",".join(f"{base}:{bits:x}" for base, bits in sorted(sets.items()))


def mirror_bitmaps(
    cursor: Cursor, table: TableDescription, relation: str, key_range: KeyRange
) -> str:
    """The keys of a range of the mirror, in the same form."""
    (key,) = table.key_columns
    name = quoted_postgres(key.name)
    offset = f"{name} & 63"
    if postgres_type(key).startswith("numeric"):
        offset = f"mod({name}, 64)"
    cursor.execute(
        f"select coalesce(string_agg(base || ':' || bits, ',' order by base), '') from ("
        f"select {name} - ({offset}) as base,"
        f" to_hex(bit_or(1::bigint << ({offset})::integer)) as bits"
        f" from {relation} where {mirror_condition(table.key_columns, key_range)}"
        f" group by 1) as sets"
    )
    return cursor.fetchone()[0]


def difference(source: str, mirror: str) -> KeyDifference:
    """What two texts of bitmaps say, as keys."""
    if source == mirror:
        rows = sum(bits.bit_count() for _, bits in _sets(source))
        return KeyDifference(rows, rows, [], [])
    at_source, in_mirror = dict(_sets(source)), dict(_sets(mirror))
    gone, missing = [], []
    for base in at_source.keys() | in_mirror.keys():
        here, there = at_source.get(base, 0), in_mirror.get(base, 0)
        gone += _keys(base, there & ~here)
        missing += _keys(base, here & ~there)
    return KeyDifference(
        sum(bits.bit_count() for bits in at_source.values()),
        sum(bits.bit_count() for bits in in_mirror.values()),
        gone,
        missing,
    )


def _sets(text: str) -> Iterator[tuple[int, int]]:
    for entry in text.split(",") if text else ():
        base, _, bits = entry.partition(":")
        yield int(base), int(bits, 16)


def _keys(base: int, bits: int) -> Iterator[int]:
    while bits:
        lowest = bits & -bits
        yield base + lowest.bit_length() - 1
        bits ^= lowest
