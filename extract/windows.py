"""Which rows of a table a run reads, and where its mark may stand after them."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import MAX_PREC, Decimal, localcontext

from psycopg2.extensions import cursor as Cursor

from extract.catalog import TableDescription
from extract.session import Session
from extract.types import postgres_type, text_literal
from warehouse.marks import Mark

NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
OUTLIERS = 100
"""So many rows may hold a number beyond the honest ones, and hide no change."""
NUMBERS_LOOKED_AT = 20_000
FAR = 100
"""A gap between two neighbouring numbers is far above what lies below it from so many times on."""
CLOCK_UNITS = (1, 1_000, 1_000_000, 1_000_000_000)
"""Parts of a second in which a number may count the time since 1970."""
YEAR = 365 * 86_400
CLOCK_YEARS = 20
CLOCK_AHEAD = 86_400
"""A number is a time of so many years before now, or of so many seconds after it."""


@dataclass(frozen=True)
class Window:
    """What is read of a table: the rows stamped at or after `bound`, all of them without one.

    `read_at` is the source's clock before the first row was read. `start` is the bound as a time,
    where the cursor is one; `bound` is it as the cursor column's own clock, or number, writes it.
    """

    read_at: datetime
    start: datetime | None = None
    bound: str | None = None


def window_of(source: Session, table: TableDescription, mark: Mark | None) -> Window:
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
            bound = Decimal(highest) - _overlap(table, Decimal(highest), read_at)
        return Window(read_at, bound=f"{bound:f}")
    start = mark.read_at - timedelta(seconds=table.declaration.overlap_seconds)
    # a DATETIME holds the clock of whoever wrote it: the server's own zone, or UTC
    behind = min(0, source.local_offset(start)) if column.data_type == "datetime" else 0
    bound = start + timedelta(seconds=behind)
    return Window(read_at, start, bound.strftime("%Y-%m-%d %H:%M:%S.%f"))


def advanced_mark(
    cursor: Cursor,
    table: TableDescription,
    window: Window,
    known: Mark | None,
    landed: tuple[str, str] | None,
    mirrored: tuple[str, str],
) -> Mark:
    """Where the mark may stand once everything downstream is built.

    `landed` and `mirrored` are a relation and the name of the cursor column in it; there is no
    former where the window brought nothing.
    """
    name, column = table.declaration.name, table.cursor_column
    if column is None:
        return Mark(name, None, None, window.read_at)
    # where every row was read, what was seen before counts no more
    is_whole = window.bound is None
    value = None if is_whole or known is None else _known(table, known, known.high_water_mark)
    if landed or is_whole:
        kind = "numeric" if table.has_numeric_cursor else postgres_type(column)
        earlier = f"{text_literal(value)}::{kind}" if value else "null"
        relation, field = mirrored if is_whole else landed
        cursor.execute(f"select greatest({earlier}, max({field}))::text from {relation}")
        value = cursor.fetchone()[0]
    if not table.has_numeric_cursor:
        return Mark(name, column.name, value, window.read_at)
    reads_from = None
    if not is_whole:
        # whatever lies at or above it was read, so that it is the highest of the table too
        reads_from = _below_outliers(cursor, *landed) if landed else None
        reads_from = reads_from or (known and _known(table, known, known.reads_from))
    if reads_from is None:
        reads_from = _below_outliers(cursor, *mirrored, least=0)
    return Mark(name, column.name, value, window.read_at, reads_from)


def warning_of_outliers(
    cursor: Cursor, table: TableDescription, relation: str, field: str, now: datetime
) -> str | None:
    """What to tell where more numbers than may be passed over lie beyond the honest ones."""
    lowest, numbers = _times_to_come(cursor, relation, field, now)
    if lowest is None:
        lowest, numbers = _far_above(cursor, relation, field)
    if lowest is None:
        return None
    name = table.cursor_column.name
    return (
        f'{table.declaration.name}: cursor column "{name}" has {numbers} numbers far above all'
        f" others, {lowest} and more\n"
        "HINT: Correct them at the source; until then a change below them may be found by the"
        " comparison alone, in its turn."
    )


def _times_to_come(
    cursor: Cursor, relation: str, field: str, now: datetime
) -> tuple[str | None, int]:
    """Of numbers that are times, the lowest that is more than a day ahead, and how many are."""
    seconds = _since_1970(now)
    for unit in CLOCK_UNITS:
        first, last = ((seconds - CLOCK_YEARS * YEAR) * unit, (seconds + CLOCK_AHEAD) * unit)
        cursor.execute(
            f"select count(*) filter (where {field} between {first} and {last}),"
            f" count(*) filter (where {field} > {last}),"
            f" (min({field}) filter (where {field} > {last}))::text from {relation}"
        )
        times, ahead, lowest = cursor.fetchone()
        if times and ahead > OUTLIERS:
            return lowest, ahead
    return None, 0


def _far_above(cursor: Cursor, relation: str, field: str) -> tuple[str | None, int]:
    """Of the highest numbers, those above a gap that is far wider than what lies below it."""
    cursor.execute(
        f"""
        with highest as (
            select {field}::numeric as number
            from {relation}
            where {field} is not null
            order by number desc
            limit {NUMBERS_LOOKED_AT}
        ),

        neighbours as (
            select
                number,
                lead(number) over highest_first as next_number,
                row_number() over highest_first as place,
                min(number) over () as lowest
            from highest
            window highest_first as (order by number desc)
        )

        select number::text, place
        from neighbours
        where
            place > {OUTLIERS}
            and number > 2 * greatest(next_number, 0)
            and number - next_number > {FAR} * greatest(next_number - lowest, {FAR})
        order by place
        limit 1
        """
    )
    return cursor.fetchone() or (None, 0)


def _below_outliers(cursor: Cursor, relation: str, field: str, least: int = OUTLIERS) -> str | None:
    """The highest number but for so many as may be outliers; the lowest where these are all.

    None where there are no more than `least`.
    """
    cursor.execute(
        f"select min(number)::text, count(*) from (select {field} as number from {relation}"
        f" where {field} is not null order by {field} desc limit {OUTLIERS + 1}) as highest"
    )
    number, numbers = cursor.fetchone()
    return number if numbers > least else None


def _known(table: TableDescription, mark: Mark, value: str | None) -> str | None:
    """The mark's value; None where it is of another column, or the column was of another kind."""
    column = table.cursor_column
    if column is None or mark.cursor_column != column.name or value is None:
        return None
    return value if bool(NUMBER.fullmatch(value)) == table.has_numeric_cursor else None


def _overlap(table: TableDescription, number: Decimal, now: datetime) -> int:
    """How far the window reaches back; where the number is a time, as far as a window of times."""
    seconds = _since_1970(now)
    for unit in CLOCK_UNITS:
        if -CLOCK_AHEAD <= seconds - number / unit <= CLOCK_YEARS * YEAR:
            return max(table.declaration.overlap_values, table.declaration.overlap_seconds * unit)
    return table.declaration.overlap_values


def _since_1970(now: datetime) -> int:
    return int((now - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
