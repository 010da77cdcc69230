"""The metrics that dbt's semantic YAML defines, and the SQL that computes them from a mart.

Simple metrics and ratios of two of one mart are computed here, without MetricFlow;
`make test-metrics` compares each of them with what MetricFlow computes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from common.errors import TidemarkError
from common.quoting import quoted

GRAINS = ("day", "week", "month", "quarter", "year")
AGGREGATIONS = {
    "sum": "sum({})",
    "count": "count({})",
    "count_distinct": "count(distinct {})",
    "average": "avg({})",
    "min": "min({})",
    "max": "max({})",
}
DAYS, PARTS, NOW = "days", "parts", "now"
"""What the time of a mart is: days, parts of the dashboard's periods, or the day of the question.

The `meta` of a semantic model says so as `time`; it is days if nothing is said.
"""
HINT = "See docs/metrics.md for the metrics that are understood."


class MetricError(TidemarkError):
    """A metric cannot be computed here, or not in this way."""

    def __init__(self, metric: str, problem: str, hint: str = HINT) -> None:
        super().__init__(f"metric {metric}", problem, hint)


@dataclass(frozen=True)
class Metric:
    """A metric of one mart.

    `value` is the SQL that aggregates rows of `relation` to its value, `time` the SQL of its day,
    `grain` the finest grain that day has, and `dimensions` the SQL of each column that it can be
    divided by. `unit` is what its `meta` declares: a currency, `%` for a share of 1, or nothing.
    `is_additive` is true if the values of parts add up to that of the whole. `time_of` is DAYS,
    PARTS or NOW.
    """

    name: str
    label: str
    description: str
    relation: str
    value: str
    time: str
    grain: str
    dimensions: Mapping[str, str]
    unit: str = ""
    is_additive: bool = False
    time_of: str = DAYS

    def query(self, by: Sequence[str] = (), grain: str | None = None) -> str:
        """A SELECT of the metric: the time by `grain` if that is given, the dimensions, `value`.

        `%(since)s` and `%(until)s` are the first day and the last one, each NULL if there is no
        bound; rows without a day are left out where either is given, or a grain is.
        """
        count = len(by) + (grain is not None)
        order = ", ".join(str(number + 1) for number in range(count))
        return self._groups(by, grain) + (f" order by {order}" if count else "")

    def _groups(self, by: Sequence[str], grain: str | None = None) -> str:
        columns = [f"{self._dimension(name)} as {quoted(name)}" for name in by]
        where = [
            f"(%(since)s::date is null or {self.time} >= %(since)s::date)",
            f"(%(until)s::date is null or {self.time} <= %(until)s::date)",
        ]
        if grain is not None:
            columns.insert(0, f"date_trunc('{self._grain(grain)}', {self.time})::date as period")
            where.append(f"{self.time} is not null")
        listed = ", ".join([*columns, f"{self.value} as value"])
        numbers = ", ".join(str(number + 1) for number in range(len(columns)))
        grouped = f" group by {numbers}" if columns else ""
        return f"select {listed} from {self.relation} where {' and '.join(where)}{grouped}"

    def ranking(self, by: str, most: int, unknown: str, lowest_first: bool = False) -> str:
        """A SELECT of the highest, or the lowest, `most` values by a dimension.

        Its columns are `name` and `value`, and the number and the sum of all groups, without those
        that have no value, or 0 where values add up. If all of these names begin with `unknown`,
        one more row has the first name that does not.
        """
        missing = _literal(f"{unknown} {by.replace('_', ' ')}")
        order = f"order by value {'asc' if lowest_first else 'desc'}, name"
        return f"""
            with answers as materialized (
                select coalesce({quoted(by)}::text, {missing}) collate "C" as name,
                    value::double precision as value
                from ({self._groups([by])}) as grouped
                where value {"<> 0" if self.is_additive else "is not null"}
            ),
            known as (select * from answers where not starts_with(name, {_literal(unknown)})),
            shown as (
                (select * from answers {order} limit {most})
                union
                (select * from known {order} limit 1)
            )
            select name, value, (select count(*) from answers), (select sum(value) from answers)
            from shown {order}"""

    def _dimension(self, name: str) -> str:
        if name not in self.dimensions:
            known = ", ".join(sorted(self.dimensions)) or "none"
            raise MetricError(self.name, f"it has no dimension {name}", f"It has: {known}.")
        return self.dimensions[name]

    def _grain(self, grain: str) -> str:
        if grain not in GRAINS[GRAINS.index(self.grain) :]:
            raise MetricError(
                self.name,
                f"it cannot be told by {grain}",
                f"Its mart has one row per {self.grain}; choose that, or longer periods.",
            )
        return grain


class KnownMetrics(dict[str, Metric]):
    """The metrics of a project by name; `refused` are those that only MetricFlow can compute."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: dict[str, MetricError] = {}


def metrics_of(manifest: Mapping[str, Any]) -> KnownMetrics:
    """The metrics of the project, from the content of dbt's manifest.json."""
    marts = {
        measure["name"]: (model, measure)
        for model in manifest["semantic_models"].values()
        for measure in model["measures"]
    }
    nodes = {node["name"]: node for node in manifest["metrics"].values()}
    metrics = KnownMetrics()
    for name, node in sorted(nodes.items()):
        try:
            metrics[name] = _metric(node, nodes, marts)
        except MetricError as error:
            metrics.refused[name] = error
    return metrics


Marts = Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]]
"""Each measure by name, with the semantic model that has it."""


def _metric(node: Mapping[str, Any], nodes: Mapping[str, Any], marts: Marts) -> Metric:
    name, parameters, is_additive = node["name"], node["type_params"], False
    if node["type"] == "simple":
        model, value, time = _measured(node, marts)
        is_additive = marts[parameters["measure"]["name"]][1]["agg"] in ("sum", "count")
    elif node["type"] == "ratio":
        parts = [parameters[part] for part in ("numerator", "denominator")]
        if any(part["filter"] or part["offset_window"] for part in parts):
            raise MetricError(name, "a filter or an offset is understood by MetricFlow alone")
        (model, above, time), (other, below, _) = (
            _measured(nodes[part["name"]], marts) for part in parts
        )
        if other["name"] != model["name"]:
            raise MetricError(name, "its numerator and its denominator are of two semantic models")
        value = f"{above}::double precision / nullif({below}, 0)::double precision"
    else:
        raise MetricError(
            name, f"metrics of type {node['type']} are understood by MetricFlow alone"
        )
    dimensions = {one["name"]: one for one in model["dimensions"]}
    relation = model["node_relation"]
    day = dimensions.pop(time)
    grain = day["type_params"]["time_granularity"]
    if grain not in GRAINS:
        raise MetricError(name, f"its mart has one row per {grain}, and the dashboard has no hours")
    meta = node["config"].get("meta") or {}
    return Metric(
        name,
        str(meta.get("title") or node["label"]),
        node["description"],
        quoted(relation["schema_name"], relation["alias"]).replace("%", "%%"),
        value,
        _expression(day),
        grain,
        {one["name"]: _expression(one) for one in dimensions.values()},
        str(meta.get("unit") or ""),
        is_additive,
        _time_of(name, model),
    )


def _time_of(metric: str, model: Mapping[str, Any]) -> str:
    told = str(((model.get("config") or {}).get("meta") or {}).get("time", DAYS))
    if told not in (DAYS, PARTS, NOW):
        raise MetricError(
            metric,
            f"the time of its semantic model is {told}",
            f"It is {DAYS}, {PARTS} or {NOW}; docs/metrics.md says what these mean.",
        )
    return told


def _measured(node: Mapping[str, Any], marts: Marts) -> tuple[Mapping[str, Any], str, str]:
    """The semantic model of a simple metric, the SQL of its value, and its dimension of time."""
    name, parameters = node["name"], node["type_params"]
    if node["type"] != "simple":
        raise MetricError(name, "a ratio is understood here if both its parts are simple metrics")
    used = parameters["measure"]
    if node["filter"] or used["filter"] or used["fill_nulls_with"] is not None:
        raise MetricError(name, "a filter or fill_nulls_with is understood by MetricFlow alone")
    model, measure = marts[used["name"]]
    if measure["agg"] not in AGGREGATIONS or measure["non_additive_dimension"]:
        raise MetricError(name, f"its measure {used['name']} is understood by MetricFlow alone")
    value = AGGREGATIONS[measure["agg"]].format(_expression(measure))
    return model, value, measure["agg_time_dimension"] or model["defaults"]["agg_time_dimension"]


def _expression(column: Mapping[str, Any]) -> str:
    """The SQL of a measure or a dimension, which is a column of its name if it has none."""
    # the driver takes a % for the beginning of a parameter
    return str(column["expr"] or quoted(column["name"])).replace("%", "%%")


def _literal(text: str) -> str:
    """A text in SQL, for a driver that takes a % for the beginning of a parameter."""
    return "'{}'".format(text.replace("'", "''").replace("%", "%%"))
