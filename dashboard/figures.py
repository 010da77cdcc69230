"""What a page shows in a period: its numbers and its charts, with the finding of each in words.

Periods end with the last day that has data, so that a source that stands still shows the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from psycopg2.extensions import cursor as Cursor

from common.quoting import quoted
from common.rows import one_value
from dashboard.metrics import GRAINS, Metric
from dashboard.pages import Chart, Page
from dashboard.words import day, in_words, number, share
from warehouse.connection import relation_exists

SHOWN_BARS = 10
DAYS_OF_GRAIN = {"day": 31, "week": 92, "month": 1100, "quarter": 3300}
"""A period of at most so many days is drawn by this grain, a longer one by year."""
UNKNOWN = "unknown"
"""How the names of unknown members begin."""


@dataclass(frozen=True)
class Period:
    """The days that the dashboard can show; `days` is None for all of them."""

    name: str
    label: str
    days: int | None


PERIODS = (
    Period("all", "all time", None),
    Period("year", "12 months", 365),
    Period("quarter", "90 days", 90),
    Period("month", "30 days", 30),
)


@dataclass(frozen=True)
class Number:
    """A metric of the whole period, and how it differs from the period before."""

    label: str
    description: str
    value: str
    change: str


@dataclass(frozen=True)
class Bar:
    """One bar: its length as a share of the longest, and its value as text."""

    name: str
    value: str
    length: float
    is_negative: bool = False


@dataclass(frozen=True)
class Figure:
    """A chart: its bars, and a title that says what they show.

    `highest` is the value of the longest bar over time; `left_out` bars are not shown.
    """

    title: str
    label: str
    description: str
    is_over_time: bool
    bars: Sequence[Bar]
    highest: str = ""
    left_out: int = 0


@dataclass(frozen=True)
class View:
    """A page in one period."""

    period: Period
    days: str
    numbers: Sequence[Number]
    figures: Sequence[Figure]


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

    def rows(
        self, metric: Metric, since: date | None, until: date | None, **how: Any
    ) -> list[tuple[Any, ...]]:
        """The rows of a query of the metric."""
        query = self.metric(metric).query(**how)
        self._cursor.execute(query, {"since": since, "until": until})
        return self._cursor.fetchall()

    def value(self, metric: Metric, since: date | None, until: date | None) -> float | None:
        ((value,),) = self.rows(metric, since, until)
        return None if value is None else float(value)

    def days(self, metrics: Sequence[Metric]) -> tuple[date, date] | None:
        """The first and the last day of the marts of some metrics; None if there is none."""
        found = []
        for metric in {metric.relation: metric for metric in metrics}.values():
            copied = self.metric(metric)
            for bound in ("min", "max"):
                self._cursor.execute(f"select {bound}({copied.time})::date from {copied.relation}")
                found.append(one_value(self._cursor))
        known = [one for one in found if one is not None]
        return (min(known), max(known)) if known else None


def views_of(page: Page, marts: Marts) -> list[View]:
    """The page in each period; nothing if one of its marts is not built, or none has a day."""
    days = marts.days(page.metrics) if all(map(marts.has, page.metrics)) else None
    if days is None:
        return []
    first, last = days
    views = []
    for period in PERIODS:
        since = None if period.days is None else last - timedelta(days=period.days - 1)
        shown = f"{day(since or first)} to {day(last)}"
        numbers = [_number(marts, metric, period, since, last) for metric in page.numbers]
        figures = [_figure(marts, chart, since, since or first, last) for chart in page.charts]
        views.append(View(period, shown, numbers, [one for one in figures if one.bars]))
    return views


def _number(marts: Marts, metric: Metric, period: Period, since: date | None, last: date) -> Number:
    # rows without a day belong to all time, and to no period
    value = marts.value(metric, since, last if since else None)
    change = ""
    if since is not None and period.days is not None:
        before = marts.value(metric, since - timedelta(days=period.days), since - timedelta(days=1))
        change = _change(metric, value, before, f"the {period.label} before")
    return Number(metric.label, metric.description, number(value, metric.unit), change)


def _change(metric: Metric, value: float | None, before: float | None, when: str) -> str:
    """How a value differs from one before; empty if that cannot be said."""
    if value is None or before is None:
        return ""
    if metric.unit == "%":
        points = 100 * (value - before)
        if abs(points) < 0.05:
            return f"as in {when}"
        return f"{abs(points):.1f} points {'more' if points > 0 else 'less'} than in {when}"
    if before <= 0:
        return ""
    ratio = value / before - 1
    if abs(ratio) < 0.0005:
        return f"as in {when}"
    return f"{share(abs(ratio))} {'more' if ratio > 0 else 'less'} than in {when}"


def _figure(marts: Marts, chart: Chart, since: date | None, first: date, last: date) -> Figure:
    if chart.by is None:
        return _over_time(marts, chart.metric, first, last)
    return _ranking(marts, chart.metric, chart.by, since, last if since else None)


def _over_time(marts: Marts, metric: Metric, first: date, last: date) -> Figure:
    grain = _grain(metric, (last - first).days + 1)
    found = dict(marts.rows(metric, first, last, grain=grain))
    nothing = 0 if metric.is_additive else None
    starts = _starts(min(found, default=last), last, grain)
    values = [(start, found.get(start, nothing)) for start in starts]
    bars = _bars(metric, [(in_words(start, grain), value) for start, value in values])
    # what has not ended yet, or began before the period, cannot be compared
    whole = [
        (start, value)
        for start, value in values
        if start >= first and _after(start, grain) <= last + timedelta(days=1)
    ]
    title = metric.label
    if whole and whole[-1][1] is not None:
        start, value = whole[-1][0], float(whole[-1][1])
        title = f"{metric.label}: {number(value, metric.unit)} {_within(start, grain)}"
        if len(whole) > 1 and whole[-2][1] is not None:
            before = float(whole[-2][1])
            title += _comma(_change(metric, value, before, _named(whole[-2][0], grain)))
    highest = max((float(value) for _, value in values if value is not None), default=None)
    shown = number(highest, metric.unit)
    return Figure(title, metric.label, metric.description, True, bars, shown)


def _ranking(
    marts: Marts, metric: Metric, by: str, since: date | None, until: date | None
) -> Figure:
    rows = [
        (str(name) if name is not None else f"{UNKNOWN} {by.replace('_', ' ')}", float(value))
        for name, value in marts.rows(metric, since, until, by=[by])
        if value is not None
    ]
    rows.sort(key=lambda row: (-row[1], row[0]))
    described = f"by {by.replace('_', ' ')}"
    title = f"{metric.label} {described}"
    known = [row for row in rows if not row[0].startswith(UNKNOWN)]
    if known:
        name, value = known[0]
        whole = sum(value for _, value in rows)
        if metric.is_additive and whole > 0 and value > 0:
            title = f"{name}: {share(value / whole)} of {_lower(metric.label)}"
            if rows[0] != known[0]:
                title += f", and {share(rows[0][1] / whole)} for {rows[0][0]}"
        else:
            title = f"{metric.label}: highest for {name}, {number(value, metric.unit)}"
    shown = rows[:SHOWN_BARS]
    return Figure(
        title,
        f"{metric.label} {described}",
        metric.description,
        False,
        _bars(metric, shown),
        left_out=len(rows) - len(shown),
    )


def _bars(metric: Metric, rows: Sequence[tuple[str, Any]]) -> list[Bar]:
    longest = max((abs(float(value)) for _, value in rows if value is not None), default=0) or 1
    return [
        Bar(
            name,
            number(None if value is None else float(value), metric.unit),
            abs(float(value or 0)) / longest,
            value is not None and value < 0,
        )
        for name, value in rows
    ]


def _grain(metric: Metric, days: int) -> str:
    """The grain in which so many days are drawn, not finer than the metric's."""
    wanted = next((grain for grain, most in DAYS_OF_GRAIN.items() if days <= most), GRAINS[-1])
    return max(wanted, metric.grain, key=GRAINS.index)


def _starts(first: date, last: date, grain: str) -> list[date]:
    """The beginnings of all parts from one to the one with the last day."""
    starts = [first]
    while (following := _after(starts[-1], grain)) <= last:
        starts.append(following)
    return starts


def _after(start: date, grain: str) -> date:
    """The first day after the part of time that begins with a day."""
    if grain in ("day", "week"):
        return start + timedelta(days=1 if grain == "day" else 7)
    months = start.year * 12 + start.month - 1 + {"month": 1, "quarter": 3, "year": 12}[grain]
    return date(months // 12, months % 12 + 1, 1)


def _within(start: date, grain: str) -> str:
    return f"{'on' if grain == 'day' else 'in'} {_named(start, grain)}"


def _named(start: date, grain: str) -> str:
    words = in_words(start, grain)
    return f"the week of {words}" if grain == "week" else words


def _comma(text: str) -> str:
    return f", {text}" if text else ""


def _lower(label: str) -> str:
    """A label within a sentence."""
    return label[:1].lower() + label[1:]
