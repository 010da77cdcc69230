"""What a page shows in a period: its numbers and its charts, with the finding of each in words.

Periods end with the last day that has data, so that a source that stands still shows the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from dashboard.marts import Marts, Ranking
from dashboard.metrics import GRAINS, NOW, Metric
from dashboard.pages import Chart, Page
from dashboard.words import day, in_words, number, share

SHOWN_BARS = 10
MANY_TIMES = 5
"""What is at least so many times as much is told so, and no longer in percent."""
DAYS_OF_GRAIN = {"day": 31, "week": 92, "month": 1100, "quarter": 3300}
"""A period of at most so many days is drawn by this grain, a longer one by year."""


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

    `extent` says from where to where the bars over time go; `left_out` bars are not shown.
    """

    title: str
    label: str
    description: str
    is_over_time: bool
    bars: Sequence[Bar]
    extent: str = ""
    left_out: int = 0


@dataclass(frozen=True)
class View:
    """A page in one period; without one, the part of a page that is of now in every period."""

    period: Period | None
    days: str
    numbers: Sequence[Number]
    figures: Sequence[Figure]


def views_of(page: Page, marts: Marts) -> list[View]:
    """The page in each period, and what it shows of now; nothing if a mart of it is not built."""
    if not all(map(marts.has, page.metrics)):
        return []
    days = marts.days(page.metrics)
    views = [_view(page, marts, period, days) for period in PERIODS] if days else []
    numbers = [_number(marts, one, None) for one in page.numbers if one.time_of == NOW]
    figures = [_ranking(marts, one, None, None) for one in page.charts if one.metric.time_of == NOW]
    of_now = View(None, "Now, in every period", numbers, [one for one in figures if one.bars])
    return [*views, of_now] if of_now.numbers or of_now.figures else views


def _view(page: Page, marts: Marts, period: Period, days: tuple[date, date]) -> View:
    first, last = days
    since = None if period.days is None else last - timedelta(days=period.days - 1)
    numbers = [
        # rows without a day belong to all time, and to no period
        _number(marts, one, period, since, last if since else None)
        for one in page.numbers
        if one.time_of != NOW
    ]
    figures = [
        _over_time(marts, one.metric, since or first, last)
        if one.by is None
        else _ranking(marts, one, since, last if since else None)
        for one in page.charts
        if one.metric.time_of != NOW
    ]
    shown = f"{day(since or first)} to {day(last)}"
    return View(period, shown, numbers, [one for one in figures if one.bars])


def _number(
    marts: Marts,
    metric: Metric,
    period: Period | None,
    since: date | None = None,
    until: date | None = None,
) -> Number:
    value = marts.value(metric, since, until)
    change = ""
    if period is not None and period.days is not None and since is not None:
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
    if value >= MANY_TIMES * before:
        return f"{value / before:,.0f} times that of {when}"
    if value < 0:
        return f"{number(before, metric.unit)} in {when}"
    ratio = value / before - 1
    if abs(ratio) < 0.0005:
        return f"as in {when}"
    return f"{share(abs(ratio))} {'more' if ratio > 0 else 'less'} than in {when}"


def _over_time(marts: Marts, metric: Metric, first: date, last: date) -> Figure:
    grain = _grain(metric, (last - first).days + 1)
    found = marts.over_time(metric, first, last, grain)
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
    return Figure(
        title, metric.label, metric.description, True, bars, _extent(metric, [v for _, v in values])
    )


def _extent(metric: Metric, values: Sequence[Any]) -> str:
    """From where to where the values of a chart over time go."""
    known = [float(value) for value in values if value is not None]
    highest = number(max(known, default=None), metric.unit)
    lowest = min(known, default=0)
    return f"from {number(lowest, metric.unit)} to {highest}" if lowest < 0 else f"up to {highest}"


def _ranking(marts: Marts, chart: Chart, since: date | None, until: date | None) -> Figure:
    metric, by = chart.metric, chart.by or ""
    found = marts.ranking(metric, by, SHOWN_BARS, chart.lowest_first, (since, until))
    described = f"{metric.label} by {_dimension(by)}"
    return Figure(
        _finding(chart, found) or described,
        described,
        metric.description,
        False,
        _bars(metric, found.rows),
        left_out=found.count - len(found.rows),
    )


def _finding(chart: Chart, found: Ranking) -> str:
    """What a ranking shows, in words; empty if it has no name that is known."""
    if found.known is None:
        return ""
    metric, (name, value) = chart.metric, found.known
    # beside negative values, a share of the whole may be above 1
    is_share = metric.is_additive and not chart.lowest_first and 0 < value <= found.whole
    if not is_share or found.rows[0][1] > found.whole:
        which = "lowest" if chart.lowest_first else "highest"
        return f"{metric.label}: {which} for {name}, {number(value, metric.unit)}"
    finding = f"{name}: {share(value / found.whole)} of {_lower(metric.label)}"
    if found.rows[0] != found.known:
        finding += f", and {share(found.rows[0][1] / found.whole)} for {found.rows[0][0]}"
    return finding


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


def _dimension(name: str) -> str:
    """A dimension as a reader calls it: `product` for product_name, `country` for country_code."""
    return name.removesuffix("_name").removesuffix("_code").replace("_", " ")


def _lower(label: str) -> str:
    """A label within a sentence; an abbreviation stays as it is."""
    return label if label[1:2].isupper() else label[:1].lower() + label[1:]
