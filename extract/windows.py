"""Which rows of a table a run reads, and where its mark may stand after them."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import MAX_PREC, Decimal, localcontext

from extract.column import CursorKind, text_literal
from extract.cursor_values import (
    CLOCK_AHEAD,
    CLOCK_UNITS,
    CLOCK_YEARS,
    YEAR,
    CursorValues,
    since_1970,
)
from extract.mirror.table import MirrorTable
from extract.source import Source
from extract.table import TableDescription
from warehouse.marks import Mark

NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


@dataclass(frozen=True)
class Window:
    """What is read of a table: the rows stamped at or after `bound`, all of them without one.

    `read_at` is the source's clock before the first row was read. `start` is the bound as a time,
    where the cursor is one; `bound` is the same as the cursor `column` writes it, time or number.
    """

    read_at: datetime
    start: datetime | None = None
    bound: str | None = None
    column: str | None = None


def window_of(source: Source, table: TableDescription, mark: Mark | None) -> Window:
    """What a run would read of a table now: all of it where it has no cursor or no mark."""
    read_at = source.as_of()
    column = table.cursor_column
    if column is None or mark is None or mark.cursor_column != column.name or not table.key_columns:
        return Window(read_at)
    if table.has_numeric_cursor:
        highest = _known(table, mark, mark.reads_from or mark.high_water_mark)
        if highest is None:
            return Window(read_at)
        with localcontext(prec=MAX_PREC):
            number = Decimal(highest) - _overlap(table, Decimal(highest), read_at)
        return Window(read_at, bound=f"{number:f}", column=column.name)
    start = mark.read_at - timedelta(seconds=table.declaration.overlap_seconds)
    # a DATETIME holds the clock of whoever wrote it: the server's own zone, or UTC
    behind = (
        min(0, source.local_offset(start)) if column.cursor_kind is CursorKind.LOCAL_TIME else 0
    )
    bound = start + timedelta(seconds=behind)
    return Window(read_at, start, bound.strftime("%Y-%m-%d %H:%M:%S.%f"), column.name)


def advanced_mark(
    mirror: MirrorTable, window: Window, known: Mark | None, landed: CursorValues | None
) -> tuple[Mark, str | None]:
    """Where the mark may stand once everything downstream is built, and what to tell of it.

    `landed` are the values of the cursor that the window brought, None where it brought nothing.
    """
    table, column = mirror.table, mirror.table.cursor_column
    if column is None:
        return Mark(table.name, None, None, window.read_at), None
    mirrored = CursorValues(mirror.cursor, mirror.qualified, column.quoted, mirror.limits.outliers)
    # where every row was read, what was seen before counts no more
    seen = mirrored if window.bound is None else landed
    value = None
    if window.bound is not None and known is not None:
        value = _known(table, known, known.high_water_mark)
    if seen is not None:
        kind = "numeric" if table.has_numeric_cursor else column.mirror_type
        value = seen.highest(f"{text_literal(value)}::{kind}" if value else "null")
    if not table.has_numeric_cursor:
        return Mark(table.name, column.name, value, window.read_at), None
    reads_from = None
    if window.bound is not None:
        # whatever lies at or above it was read, so that it is the highest of the table too
        reads_from = landed.below_outliers() if landed else None
        if reads_from is None and known is not None:
            reads_from = _known(table, known, known.reads_from)
    if reads_from is None:
        reads_from = mirrored.below_outliers(least=0)
    mark = Mark(table.name, column.name, value, window.read_at, reads_from)
    return mark, _warning(table.name, column.name, seen, window.read_at)


def _warning(name: str, column: str, seen: CursorValues | None, read_at: datetime) -> str | None:
    """What to tell where more numbers than may be passed over lie beyond the honest ones."""
    lowest, numbers = seen.outliers(read_at) if seen else (None, 0)
    if lowest is None:
        return None
    return (
        f'{name}: cursor column "{column}" has {numbers} numbers far above all others,'
        f" {lowest} and more\n"
        "HINT: Correct them at the source; until then a change below them may be found by the"
        " comparison alone, in its turn."
    )


def _known(table: TableDescription, mark: Mark, value: str | None) -> str | None:
    """The mark's value; None where it is of another column, or the column was of another kind."""
    column = table.cursor_column
    if column is None or mark.cursor_column != column.name or value is None:
        return None
    return value if bool(NUMBER.fullmatch(value)) == table.has_numeric_cursor else None


def _overlap(table: TableDescription, number: Decimal, now: datetime) -> int:
    """How far the window reaches back; where the number is a time, as far as a window of times."""
    seconds = since_1970(now)
    for unit in CLOCK_UNITS:
        if -CLOCK_AHEAD <= seconds - number / unit <= CLOCK_YEARS * YEAR:
            return max(table.declaration.overlap_values, table.declaration.overlap_seconds * unit)
    return table.declaration.overlap_values
