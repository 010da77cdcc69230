"""The marts of some pages, and what is asked of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from psycopg2.extensions import cursor as Cursor

from common.quoting import quoted
from dashboard.metrics import GRAINS, NOW, Metric
from warehouse.connection import relation_exists

UNKNOWN = "unknown"
"""How the names of unknown members begin."""


@dataclass(frozen=True)
class Ranking:
    """The first values of a metric by a dimension, and what they are a part of.

    `known` is the first name that is not one of UNKNOWN, with its value; it may be beyond `rows`.
    """

    rows: Sequence[tuple[str, float]]
    known: tuple[str, float] | None
    count: int
    whole: float


class Marts:
    """The marts of some pages, each read once, since a mart may be a view over large tables."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._copies: dict[str, str] = {}

    def has(self, metric: Metric) -> bool:
        """Whether the metric's mart has been built."""
        return relation_exists(self._cursor, metric.relation.replace("%%", "%"))

    def metric(self, metric: Metric) -> Metric:
        """The metric over the copy of its mart."""
        copy = self._copies.get(metric.relation)
        if copy is None:
            copy = quoted(f"mart_{len(self._copies)}")
            self._cursor.execute(
                f"create temporary table {copy} on commit drop as"
                f" select * from {metric.relation.replace('%%', '%')}"
            )
            self._copies[metric.relation] = copy
        return replace(metric, relation=copy)

    def over_time(self, metric: Metric, first: date, last: date, grain: str) -> dict[date, Any]:
        """The values of the parts of a period that have one, by their first days."""
        return dict(self._rows(self.metric(metric).query(grain=grain), first, last))

    def value(self, metric: Metric, since: date | None, until: date | None) -> float | None:
        ((value,),) = self._rows(self.metric(metric).query(), since, until)
        return None if value is None else float(value)

    def ranking(
        self, metric: Metric, by: str, most: int, lowest_first: bool, bounds: Sequence[date | None]
    ) -> Ranking:
        """The first values by a dimension, between two days or of all time."""
        query = self.metric(metric).ranking(by, most, UNKNOWN, lowest_first)
        found = self._rows(query, *bounds)
        rows = [(name, value) for name, value, *_ in found]
        known = next((row for row in rows if not row[0].startswith(UNKNOWN)), None)
        count, whole = found[0][2:] if found else (0, 0.0)
        return Ranking(rows[:most], known, count, whole)

    def days(self, metrics: Sequence[Metric]) -> tuple[date, date] | None:
        """The first and the last day of the marts of some metrics; None if there is none.

        A mart by month says nothing about the last day if another one has days.
        """
        timed = {one.relation: one for one in metrics if one.time_of != NOW}.values()
        finest = min((one.grain for one in timed), key=GRAINS.index, default=None)
        firsts = [day for metric in timed if (day := self._day("min", metric))]
        lasts = [
            day for one in timed if one.grain == finest and (day := self._day("max", one))
        ] or [day for one in timed if (day := self._day("max", one))]
        return (min(firsts), max(lasts)) if firsts else None

    def _day(self, bound: str, metric: Metric) -> date | None:
        copied = self.metric(metric)
        query = f"select {bound}({copied.time})::date from {copied.relation}"
        day: date | None
        ((day,),) = self._rows(query, None, None)
        return day

    def _rows(self, query: str, since: date | None, until: date | None) -> list[tuple[Any, ...]]:
        self._cursor.execute(query, {"since": since, "until": until})
        return self._cursor.fetchall()
