"""Which rows of a table a run reads, and the mark of the table after them."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import MAX_PREC, Decimal, localcontext

from common.quoting import text_literal
from extract.column import CursorKind
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
    """The rows that are read of a table: those with a cursor at or above `bound`, or all if None.

    `read_at` is the source's clock before the first row was read. `start` is the bound as a time,
    if the cursor is a time; `bound` is the text of a time or a number, as in the cursor `column`.
    """

    read_at: datetime
    start: datetime | None = None
    bound: str | None = None
    column: str | None = None


def window_of(source: Source, table: TableDescription, mark: Mark | None) -> Window:
    """The window that a run would read now; the whole table if it has no cursor or no mark."""
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
    # a DATETIME is by the clock of the session that wrote it: the server's own zone, or UTC
    behind = (
        min(0, source.local_offset(start)) if column.cursor_kind is CursorKind.LOCAL_TIME else 0
    )
    bound = start + timedelta(seconds=behind)
    return Window(read_at, start, bound.strftime("%Y-%m-%d %H:%M:%S.%f"), column.name)


def advanced_mark(
    mirror: MirrorTable, window: Window, known: Mark | None, landed: CursorValues | None
) -> tuple[Mark, str | None]:
    """The mark to set once everything downstream is built, and a warning about it or None.

    `landed` are the values of the cursor in the rows of the window; None if it had no rows.
    """
    table, column = mirror.table, mirror.table.cursor_column
    if column is None:
        return Mark(table.name, None, None, window.read_at), None
    mirrored = CursorValues(mirror.cursor, mirror.qualified, column.quoted, mirror.limits.outliers)
    # if every row was read, values of earlier reads no longer count
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
        # every number at or above the bound was read, so this is the highest of the table too
        reads_from = landed.below_outliers() if landed else None
        if reads_from is None and known is not None:
            reads_from = _known(table, known, known.reads_from)
    if reads_from is None:
        reads_from = mirrored.below_outliers(least=0)
    mark = Mark(table.name, column.name, value, window.read_at, reads_from)
    return mark, _warning(table.name, column.name, seen, window.read_at)


def _warning(name: str, column: str, seen: CursorValues | None, read_at: datetime) -> str | None:
    """The warning if there are more outliers than may be left out."""
    lowest, numbers = seen.outliers(read_at) if seen else (None, 0)
    if lowest is None:
        return None
    return (
        f'{name}: cursor column "{column}" has {numbers} numbers far above all others,'
        f" from {lowest} on\n"
        "HINT: Correct them at the source. Until then, a change below them may be found only"
        " by the comparison, when its range is due."
    )


def _known(table: TableDescription, mark: Mark, value: str | None) -> str | None:
    """A value of the mark; None if it is of another column or of another kind of cursor."""
    column = table.cursor_column
    if column is None or mark.cursor_column != column.name or value is None:
        return None
    return value if bool(NUMBER.fullmatch(value)) == table.has_numeric_cursor else None


def _overlap(table: TableDescription, number: Decimal, now: datetime) -> int:
    """How far the window reaches back; if the number is a time, at least as far as for a time."""
    seconds = since_1970(now)
    for unit in CLOCK_UNITS:
        if -CLOCK_AHEAD <= seconds - number / unit <= CLOCK_YEARS * YEAR:
            return max(table.declaration.overlap_values, table.declaration.overlap_seconds * unit)
    return table.declaration.overlap_values
