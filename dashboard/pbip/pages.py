"""The pages of the report, and where each visual stands on them.

A page of the dashboard, which an exposure declares, is a page here too, with what
`declared/<domain>.yml` adds to it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from common.suggestion import did_you_mean
from dashboard.pages import Chart, pages_of
from dashboard.pbip.dax import COLUMN
from dashboard.pbip.declared import DeclaredChart, DeclaredPage, Domain
from dashboard.pbip.errors import PowerBiError
from dashboard.pbip.measures import Measure, Metrics
from dashboard.pbip.names import identifier
from dashboard.pbip.star import CALENDAR, Star, Table

WIDTH, MARGIN, GUTTER = 1280, 24, 16
HEAD, NUMBERS, ROW = 80, 88, 264
SLICER = 176
IN_A_ROW = 3
LINE, BAR, TABLE, NUMBER, CHOICE = (
    "lineChart",
    "clusteredBarChart",
    "tableEx",
    "cardVisual",
    "slicer",
)
HEADING = "textbox"
BEFORE = "{}, year before"
NAME_LENGTH = 50


@dataclass(frozen=True)
class Field:
    """A column or a measure of the model."""

    table: str
    name: str
    is_measure: bool


@dataclass(frozen=True)
class Visual:
    """A visual: its kind, its title, its fields by role, and its place on the page."""

    name: str
    kind: str
    title: str
    description: str
    fields: Mapping[str, Sequence[Field]]
    sort: Field | None = None
    x: int = 0
    y: int = 0
    width: int = 0
    height: int = 0
    is_ascending: bool = False


@dataclass(frozen=True)
class Page:
    """A page: its name in the files, its title, its height and its visuals in reading order."""

    name: str
    title: str
    description: str
    height: int
    visuals: tuple[Visual, ...]


class Fields:
    """The fields of a model, found by what a declaration calls them."""

    def __init__(self, star: Star, measures: Sequence[Measure]) -> None:
        self.star = star
        self.measures = {measure.name: measure for measure in measures}
        self.by_metric = {measure.metric: measure for measure in measures if measure.metric}
        self._columns = {
            f"'{table.name}'[{name}]": (table, name)
            for table in star.tables.values()
            for name in (
                *(column.name for column in table.columns),
                *(computed.name for computed in table.details.computed),
            )
        }
        self.month = self._month()

    def _month(self) -> str:
        calendar = self.star.tables.get(CALENDAR)
        computed = calendar.details.computed if calendar else ()
        return f"'{calendar.name}'[{computed[0].name}]" if calendar and computed else ""

    def measure(self, name: str) -> Field:
        if name not in self.measures:
            hint = f"{did_you_mean(name, self.measures)}They are in dashboard/pbip/declared."
            raise PowerBiError(f"page of Power BI, {name}", "there is no such measure", hint)
        return Field(self.measures[name].table.name, name, True)

    def column(self, reference: str) -> Field:
        if reference not in self._columns:
            hint = f"{did_you_mean(reference, self._columns)}Write it as 'Dates'[Calendar year]."
            raise PowerBiError(f"page of Power BI, {reference}", "there is no such column", hint)
        table, name = self._columns[reference]
        return Field(table.name, name, False)

    def any(self, name: str) -> Field:
        return self.column(name) if COLUMN.fullmatch(name) else self.measure(name)

    def is_time(self, reference: str) -> bool:
        table, name = self._columns[reference]
        types = {column.name: column.type.model for column in table.columns}
        types |= {computed.name: computed.type for computed in table.details.computed}
        return types[name] == "dateTime"

    def dimension(self, measure: Measure, source: str) -> str:
        """The column that a metric's dimension is: of its table, or of one around it.

        Empty if there is none, or if two tables around it have one.
        """
        found = [one.reference(source) for one in self._around(measure) if one.has(source)]
        return found[0] if found and (len(found) == 1 or measure.table.has(source)) else ""

    def undivided(self, measures: Sequence[str], slicers: Sequence[Field]) -> str:
        """The slicers that do not reach all of some measures, as words; empty if all do."""
        around = [{one.name for one in self._around(self.measures[name])} for name in measures]
        return " and ".join(
            slicer.name for slicer in slicers if any(slicer.table not in one for one in around)
        )

    def month_of(self, measure: Measure) -> str:
        """The months of the calendar, if they divide the measure."""
        return self.month if CALENDAR in {one.relation for one in self._around(measure)} else ""

    def _around(self, measure: Measure) -> list[Table]:
        return self.star.around(measure.table)


def report_pages(
    manifest: Mapping[str, Any], metrics: Metrics, fields: Fields, domains: Mapping[str, Domain]
) -> list[Page]:
    """The pages of the dashboard by their titles, then those that are of Power BI alone."""
    added = {domain.page.exposure: domain.page for domain in domains.values() if domain.page}
    columns = {name: one for domain in domains.values() for name, one in domain.dimensions.items()}
    fields.by_metric |= {
        name: fields.by_metric[other]
        for name, other in metrics.same_as.items()
        if other in fields.by_metric
    }
    pages = []
    for page in pages_of(manifest, metrics.known):
        more = added.get(page.name, DeclaredPage())
        known = fields.by_metric
        numbers = [known[one.name].name for one in page.numbers if one.name in known]
        charts = [
            made
            for chart in page.charts
            if chart.metric.name in known and (made := _of_dashboard(chart, fields, columns)).by
        ]
        name = page.name.removesuffix("_dashboard")
        declared = DeclaredPage(
            page.name,
            page.title,
            page.description,
            (*numbers, *more.numbers),
            more.slicers or (("'Dates'[Calendar year]",) if fields.month else ()),
            (*charts, *more.charts),
        )
        pages.append(_page(name, declared, fields))
    alone = [domain for domain in domains.values() if domain.page and not domain.page.exposure]
    return pages + [_page(domain.name, domain.page, fields) for domain in alone if domain.page]


def _of_dashboard(chart: Chart, fields: Fields, columns: Mapping[str, str]) -> DeclaredChart:
    """A chart of the dashboard; `by` is empty if the model has not what it is divided by.

    `columns` are those of the star that are called otherwise than in a mart.
    """
    measure = fields.by_metric[chart.metric.name]
    if chart.by is None:
        before = BEFORE.format(measure.name)
        shown = [measure.name, *([before] if before in fields.measures else [])]
        return DeclaredChart(f"{measure.name} by month", shown, fields.month_of(measure))
    words = chart.by.replace("_", " ")
    by = fields.dimension(measure, columns.get(chart.by, chart.by))
    return DeclaredChart(
        f"{measure.name} by {words}", [measure.name], by, lowest_first=chart.lowest_first
    )


def _page(name: str, declared: DeclaredPage, fields: Fields) -> Page:
    visuals = list(_head(name, declared, fields))
    slicers = [fields.column(one) for one in declared.slicers]
    for place, chart in enumerate(declared.charts):
        row, column = divmod(place, IN_A_ROW)
        in_row = min(IN_A_ROW, len(declared.charts) - row * IN_A_ROW)
        width = (WIDTH - 2 * MARGIN - (in_row - 1) * GUTTER) // in_row
        x = MARGIN + column * (width + GUTTER)
        y = MARGIN + HEAD + NUMBERS + 2 * GUTTER + row * (ROW + GUTTER)
        whole = fields.undivided(chart.measures, slicers)
        title = f"{chart.title} (not by {whole})" if whole else chart.title
        visuals.append(_chart(replace(chart, title=title), fields, (x, y, width, ROW)))
    names = [one.name for one in visuals]
    for visual in visuals:
        if names.count(visual.name) > 1:
            hint = "Two charts of a metric by the same column are one; leave one of them out."
            raise PowerBiError(f"page {declared.title}, {visual.title}", "is there twice", hint)
    height = max((one.y + one.height for one in visuals), default=0) + MARGIN
    return Page(name, declared.title, declared.description, height, tuple(visuals))


def _head(name: str, declared: DeclaredPage, fields: Fields) -> Iterator[Visual]:
    """The heading, the slicers to its right, and the numbers below."""
    left = WIDTH - MARGIN - len(declared.slicers) * (SLICER + GUTTER)
    slicers = [fields.column(one) for one in declared.slicers]
    notes = [
        f"{name} is not by {whole}."
        for name in declared.numbers
        if name in fields.measures and (whole := fields.undivided([name], slicers))
    ]
    yield Visual(
        "heading",
        HEADING,
        declared.title,
        " ".join([declared.description.strip(), *notes]),
        {},
        None,
        *(MARGIN, MARGIN, left - MARGIN, HEAD),
    )
    for place, field in enumerate(slicers):
        yield Visual(
            _name("slicer", field.name),
            CHOICE,
            field.name,
            f"Choose of {field.name} in {field.table}.",
            {"Values": [field]},
            None,
            *(left + GUTTER + place * (SLICER + GUTTER), MARGIN, SLICER, HEAD),
        )
    numbers = [fields.measure(one) for one in declared.numbers]
    if not numbers:
        return
    yield Visual(
        "numbers",
        NUMBER,
        f"{declared.title} in numbers",
        f"{', '.join(declared.numbers)}.",
        {"Data": numbers},
        None,
        *(MARGIN, MARGIN + HEAD + GUTTER, WIDTH - 2 * MARGIN, NUMBERS),
    )


def _chart(chart: DeclaredChart, fields: Fields, place: tuple[int, int, int, int]) -> Visual:
    measures = [fields.measure(name) for name in chart.measures]
    is_time = not chart.table and fields.is_time(chart.by)
    if chart.table:
        kind, roles = TABLE, {"Values": [*map(fields.column, chart.table), *measures]}
        sort = fields.any(chart.sort) if chart.sort else None
    else:
        kind = LINE if is_time else BAR
        category = fields.column(chart.by)
        roles = {"Category": [category], "Y": measures}
        sort = category if is_time else measures[0]
    described = " ".join(
        fields.measures[name].description.partition(" The metric `")[0] for name in chart.measures
    )
    if not described:
        described = f"{', '.join(one.name for one in roles['Values'])}."
    is_ascending = is_time or chart.lowest_first
    name = _name(chart.title)
    return Visual(name, kind, chart.title, described, roles, sort, *place, is_ascending)


def _name(*words: str) -> str:
    """A name that files and PBIR allow; of a long one, the end becomes a digest."""
    name = re.sub(r"\W+", "_", "_".join(words).lower()).strip("_")
    if 0 < len(name) <= NAME_LENGTH:
        return name
    return f"{name[: NAME_LENGTH - 9]}_{identifier('visual', *words)[:8]}".strip("_")
