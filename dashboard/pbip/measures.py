"""The measures: each metric of dbt's semantic YAML, and what is declared beside them in DAX."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from common.suggestion import did_you_mean
from dashboard.metrics import NOW, metrics_of
from dashboard.pbip import dax
from dashboard.pbip.declared import Business, Domain, FromStar, YearOverYear
from dashboard.pbip.errors import PowerBiError
from dashboard.pbip.star import CALENDAR, Star, Table
from dashboard.pbip.types import WHOLE as INTEGER

OF_MART = {
    "sum": "SUM({})",
    "count": "COUNT({})",
    "count_distinct": "DISTINCTCOUNTNOBLANK({})",
    "average": "AVERAGE({})",
    "min": "MIN({})",
    "max": "MAX({})",
}
RATIO = ("numerator", "denominator")
SHARE, WHOLE, PART = "0.0%", "#,0", "#,0.00"
YEAR_FOLDER = "Year over year"
BEFORE = """\
VAR FirstDay = CALCULATE(MIN({day}), REMOVEFILTERS())
VAR LastDay = CALCULATE(MAX({day}), REMOVEFILTERS())
VAR ShownDays = FILTER(VALUES({date}), {date} <= LastDay)
RETURN
    IF(
        MINX(ShownDays, {date}) >= EDATE(FirstDay, 12),
        CALCULATE([{name}], CALCULATETABLE(SAMEPERIODLASTYEAR({date}), ShownDays))
    )"""
CHANGE = """\
VAR YearBefore = [{name}, year before]
RETURN
    IF(YearBefore > 0, DIVIDE([{name}] - YearBefore, YearBefore))"""


@dataclass(frozen=True)
class Measure:
    """A measure, and the table that it is listed in; `metric` is the one that it is made of."""

    name: str
    table: Table
    dax: str
    format: str
    folder: str
    description: str
    metric: str = ""


class Metrics:
    """The metrics of a manifest: how each is defined, and what of it is computed from the star."""

    def __init__(self, manifest: Mapping[str, Any], domains: Mapping[str, Domain]) -> None:
        self.known = metrics_of(manifest)
        self.nodes = {
            node["name"]: node
            for node in manifest["metrics"].values()
            if node["name"] in self.known
        }
        self.from_star: dict[str, FromStar] = {
            name: entry for domain in domains.values() for name, entry in domain.metrics.items()
        }
        self._measured = {
            measure["name"]: (model, measure)
            for model in manifest["semantic_models"].values()
            for measure in model["measures"]
        }
        self.same_as: dict[str, str] = {
            name: other for domain in domains.values() for name, other in domain.same_as.items()
        }
        for name in (*self.from_star, *self.same_as, *self.same_as.values()):
            if name not in self.known:
                hint = f"{did_you_mean(name, self.known)}docs/metrics.md has the metrics."
                raise PowerBiError(f"metric {name}", "dbt has no such metric", hint)

    def simple(self) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
        """The simple metrics, with their semantic model and their measure there.

        Without those that are the same as another one.
        """
        for name, node in sorted(self.nodes.items()):
            if node["type"] == "simple" and name not in self.same_as:
                yield name, *self._measured[node["type_params"]["measure"]["name"]]

    def marts(self) -> dict[str, str]:
        """The marts of which a metric is defined that no fact has, each with its day.

        The day is empty if it is that of the question, which no other day is to be compared with.
        """
        found = {}
        for name, model, measure in self.simple():
            if name not in self.from_star:
                time = measure["agg_time_dimension"] or model["defaults"]["agg_time_dimension"]
                days = {one["name"]: one["expr"] or one["name"] for one in model["dimensions"]}
                is_now = self.known[name].time_of == NOW
                found[model["node_relation"]["alias"]] = "" if is_now else days[time]
        return found


def measures_of(
    metrics: Metrics, star: Star, domains: Mapping[str, Domain], variables: Mapping[str, Any]
) -> list[Measure]:
    """Every measure of the model. Raises PowerBiError if one names what is not there.

    A metric is left out if it is neither declared to be computed from a fact, nor of a column of
    its mart.
    """
    made: dict[str, Measure] = {}
    for name, model, measure in metrics.simple():
        declared = metrics.from_star.get(name)
        if declared:
            table = _table(star, declared.table, f"metric {name}")
            code = from_star(declared, table, variables)
            aggregate, column = declared.aggregate, declared.column
        else:
            table = star.tables[model["node_relation"]["alias"]]
            aggregate, column = measure["agg"], measure["expr"] or measure["name"]
            if not table.has(column):
                # an expression in SQL, which DAX has not
                continue
            code = OF_MART[aggregate].format(table.reference(column))
        is_whole = aggregate.startswith("count") or (
            aggregate != "average" and table.column(column).type == INTEGER
        )
        made[name] = _measure(metrics, name, table, code, WHOLE if is_whole else PART, domains)
    for name, node in sorted(metrics.nodes.items()):
        parts = [node["type_params"][part]["name"] for part in RATIO if node["type"] == "ratio"]
        if parts and set(parts) <= set(made):
            above, below = parts
            code = f"DIVIDE([{made[above].name}], [{made[below].name}])"
            made[name] = _measure(metrics, name, made[above].table, code, PART, domains)
    listed = list(made.values())
    for domain in domains.values():
        for entry in domain.year_over_year:
            listed += _year_over_year(entry, made, star)
        listed += (_business(entry, star, domain) for entry in domain.measures)
    check(listed, star)
    return listed


def from_star(declared: FromStar, table: Table, variables: Mapping[str, Any]) -> str:
    """A metric in DAX, over a fact."""
    aggregate = {
        "sum": "SUM({})",
        "count": f"COUNTROWS('{table.name}')",
        "count_distinct": "DISTINCTCOUNTNOBLANK({})",
    }[declared.aggregate]
    value = aggregate.format(table.reference(declared.column) if declared.column else "")
    filters = [
        f"{table.reference(column)} IN {{{', '.join(map(dax.text, values))}}}"
        for column, values in declared.where.items()
    ] + [
        f"{table.reference(column)} >= {variables[variable]}"
        for column, variable in declared.at_least.items()
    ]
    kept = "".join(f", KEEPFILTERS({one})" for one in filters)
    return f"CALCULATE({value}{kept})" if kept else value


def _measure(
    metrics: Metrics, name: str, table: Table, code: str, form: str, domains: Mapping[str, Domain]
) -> Measure:
    metric = metrics.known[name]
    if metric.unit == "%":
        form = SHARE
    elif metric.unit:
        unit = metric.unit.replace('"', '""')
        form = f'{form} "{unit}"'
    description = f"{metric.description} The metric `{name}` of dbt.".strip()
    label = metrics.nodes[name]["label"]
    return Measure(label, table, code, form, _label(table, domains), description, name)


def _label(table: Table, domains: Mapping[str, Domain]) -> str:
    return domains[table.domain].label if table.domain in domains else table.domain.capitalize()


def _year_over_year(
    entry: YearOverYear, made: Mapping[str, Measure], star: Star
) -> Iterator[Measure]:
    if entry.metric not in made:
        hint = f"{did_you_mean(entry.metric, made)}docs/metrics.md has the metrics."
        raise PowerBiError(f"metric {entry.metric}", "dbt has no such metric", hint)
    of = made[entry.metric]
    calendar = _table(star, CALENDAR, f"metric {entry.metric}, year over year")
    words = {
        "name": of.name,
        "date": calendar.reference(calendar.details.date_key),
        "day": of.table.reference(entry.day),
    }
    folder = f"{of.folder}\\{YEAR_FOLDER}"
    yield Measure(
        f"{of.name}, year before",
        of.table,
        BEFORE.format(**words),
        of.format,
        folder,
        f"[{of.name}] of the same days a year earlier, up to the last day that has data; blank if"
        " the data begin later.",
    )
    yield Measure(
        f"{of.name}, change on the year before",
        of.table,
        CHANGE.format(**words),
        "+0.0%;-0.0%;0.0%",
        folder,
        f"How much [{of.name}] is above the year before, as a share of it.",
    )


def _business(entry: Business, star: Star, domain: Domain) -> Measure:
    table = _table(star, entry.table, f"measure {entry.name}")
    folder = f"{domain.label}\\{entry.folder}" if entry.folder else domain.label
    return Measure(entry.name, table, entry.dax.strip(), entry.format, folder, entry.description)


def _table(star: Star, relation: str, subject: str) -> Table:
    if relation not in star.tables:
        hint = f"{did_you_mean(relation, star.tables)}The module `star` says which are."
        raise PowerBiError(subject, f"{relation} is not in the model", hint)
    return star.tables[relation]


def check(measures: Iterable[Measure], star: Star) -> None:
    """Measures have names of their own, and name nothing that is not there."""
    tables = {table.name: table for table in star.tables.values()}
    columns = {(name, one) for name, table in tables.items() for one in _columns(table)}
    measures = list(measures)
    names = [measure.name.lower() for measure in measures]
    known, taken = {measure.name for measure in measures}, {name.lower() for name in tables}
    expressions = [(f"measure {one.name}", one.dax) for one in measures]
    expressions += [
        (f"column {computed.name} of {table.name}", computed.dax)
        for table in tables.values()
        for computed in table.details.computed
    ]
    for subject, code in expressions:
        named = dax.references(code)
        missing = [f"'{table}'[{column}]" for table, column in named.columns - columns]
        missing += [*(f"'{one}'" for one in named.tables - set(tables)), *named.unquoted]
        missing += [f"[{one}]" for one in named.measures - known]
        missing += [f"VAR {one}" for one in named.variables if one.lower() in taken]
        if missing:
            hint = (
                "Names are those of Power BI, a column's table stands in quotes before it, and a"
                " variable has letters and digits, and no name of a table."
            )
            raise PowerBiError(subject, f"it names {', '.join(sorted(missing))}", hint)
    for measure in measures:
        in_columns = measure.name.lower() in {one.lower() for one in _columns(measure.table)}
        if names.count(measure.name.lower()) > 1 or in_columns:
            hint = "Measures of a model have different names, and none that of a column beside it."
            raise PowerBiError(f"measure {measure.name}", "its name is taken", hint)


def _columns(table: Table) -> list[str]:
    computed = [one.name for one in table.details.computed]
    return [column.name for column in table.columns] + computed
