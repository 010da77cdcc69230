"""The values of a cursor column in the warehouse, and which numbers among them are outliers."""

from dataclasses import dataclass
from datetime import UTC, datetime

from psycopg2.extensions import cursor as Cursor

from common.rows import one_row

NUMBERS_LOOKED_AT = 20_000
FAR = 100
"""A gap makes the numbers above it outliers if it is this many times the spread below it."""
CLOCK_UNITS = (1, 1_000, 1_000_000, 1_000_000_000)
"""Units per second in which a number may count the time since 1970."""
YEAR = 365 * 86_400
CLOCK_YEARS = 20
CLOCK_AHEAD = 86_400
"""A number is taken for a time if it is at most so many years old, or so many seconds ahead."""


@dataclass(frozen=True)
class CursorValues:
    """The values of a cursor column in a relation, where its name is `field`.

    Up to `most_outliers` numbers may be wrong without a change being missed.
    """

    cursor: Cursor
    relation: str
    field: str
    most_outliers: int

    def highest(self, earlier: str) -> str | None:
        """The text of the highest value, or of `earlier` if that is higher."""
        self.cursor.execute(
            f"select greatest({earlier}, max({self.field}))::text from {self.relation}"
        )
        (value,) = one_row(self.cursor)
        return None if value is None else str(value)

    def below_outliers(self, least: int | None = None) -> str | None:
        """The highest number below those that may be outliers, or the lowest number if all may be.

        None if there are no more numbers than `least`, by default the number of possible outliers.
        """
        self.cursor.execute(
            f"select min(number)::text, count(*) from (select {self.field} as number"
            f" from {self.relation} where {self.field} is not null"
            f" order by {self.field} desc limit {self.most_outliers + 1}) as highest"
        )
        number, numbers = one_row(self.cursor)
        return number if numbers > (self.most_outliers if least is None else least) else None

    def outliers(self, now: datetime) -> tuple[str | None, int]:
        """The lowest outlier and the number of outliers; None if they are few enough."""
        lowest, numbers = self._times_to_come(now)
        return (lowest, numbers) if lowest is not None else self._far_above()

    def _times_to_come(self, now: datetime) -> tuple[str | None, int]:
        """If the numbers are times: the lowest that is more than a day ahead, and how many are."""
        seconds, field = since_1970(now), self.field
        for unit in CLOCK_UNITS:
            first, last = ((seconds - CLOCK_YEARS * YEAR) * unit, (seconds + CLOCK_AHEAD) * unit)
            self.cursor.execute(
                f"select count(*) filter (where {field} between {first} and {last}),"
                f" count(*) filter (where {field} > {last}),"
                f" (min({field}) filter (where {field} > {last}))::text from {self.relation}"
            )
            times, ahead, lowest = one_row(self.cursor)
            if times and ahead > self.most_outliers:
                return lowest, ahead
        return None, 0

    def _far_above(self) -> tuple[str | None, int]:
        """The lowest number above a gap far wider than the spread below it, and how many are."""
        self.cursor.execute(
            f"""
            with highest as (
                select {self.field}::numeric as number
                from {self.relation}
                where {self.field} is not null
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
                place > {self.most_outliers}
                and number > 2 * greatest(next_number, 0)
                and number - next_number > {FAR} * greatest(next_number - lowest, {FAR})
            order by place
            limit 1
            """
        )
        number, place = self.cursor.fetchone() or (None, 0)
        return number, place


def since_1970(now: datetime) -> int:
    """Seconds since 1970, UTC."""
    return int((now - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
