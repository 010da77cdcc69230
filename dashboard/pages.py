"""The pages of the dashboard, as exposures declare them in their `meta`.

exposures:
  - name: shop_dashboard
    label: Shop
    type: dashboard
    owner: {name: sales}
    depends_on: [metric('shop_visits_count'), metric('shop_orders_per_visit')]
    config:
      meta:
        page:
          numbers: [shop_visits_count, shop_orders_per_visit]
          charts:
            - {metric: shop_visits_count}
            - {metric: shop_visits_count, by: page}
            - {metric: shop_orders_per_visit, by: page, first: lowest}
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from common.errors import TidemarkError
from common.suggestion import did_you_mean
from dashboard.metrics import DAYS, PARTS, KnownMetrics, Metric

PAGE = "page"
"""The entry of an exposure's `meta` that makes it a page."""
HIGHEST, LOWEST = "highest", "lowest"
"""Which values of a dimension a chart shows."""


class PageError(TidemarkError):
    """The declaration of a page is wrong."""

    def __init__(self, exposure: Mapping[str, Any], problem: str, hint: str) -> None:
        place = f"exposure {exposure['name']} ({exposure['original_file_path']})"
        super().__init__(place, problem, hint)


@dataclass(frozen=True)
class Chart:
    """A metric over time, or its highest or lowest values by one of its dimensions."""

    metric: Metric
    by: str | None = None
    lowest_first: bool = False


@dataclass(frozen=True)
class Page:
    """What the dashboard shows of one subject: numbers in its head, and charts below."""

    name: str
    title: str
    description: str
    numbers: tuple[Metric, ...]
    charts: tuple[Chart, ...]

    @property
    def metrics(self) -> list[Metric]:
        return [*self.numbers, *(chart.metric for chart in self.charts)]


def pages_of(manifest: Mapping[str, Any], metrics: KnownMetrics) -> list[Page]:
    """The pages of the project, by their titles. Raises PageError."""
    pages = [
        _page(exposure, exposure["config"]["meta"][PAGE], metrics)
        for exposure in manifest["exposures"].values()
        if PAGE in (exposure["config"].get("meta") or {})
    ]
    return sorted(pages, key=lambda page: page.title)


def _page(exposure: Mapping[str, Any], declared: Any, metrics: KnownMetrics) -> Page:
    if (
        not isinstance(declared, Mapping)
        or not declared
        or not set(declared) <= {"numbers", "charts"}
        or any(not isinstance(listed, list) for listed in declared.values())
    ):
        hint = "A page has `numbers`, a list of metrics, and `charts`, a list of charts."
        raise PageError(exposure, "its page is not understood", hint)
    return Page(
        exposure["name"],
        exposure["label"] or exposure["name"],
        exposure["description"],
        tuple(_number(exposure, name, metrics) for name in declared.get("numbers", ())),
        tuple(_chart(exposure, entry, metrics) for entry in declared.get("charts", ())),
    )


def _metric(exposure: Mapping[str, Any], name: Any, metrics: KnownMetrics) -> Metric:
    if not isinstance(name, str):
        raise PageError(exposure, f"{name} is no metric", "Give the name of one, and nothing else.")
    if name in metrics:
        return metrics[name]
    if name in metrics.refused:
        raise metrics.refused[name]
    hint = f"{did_you_mean(name, metrics)}docs/metrics.md says how to define one."
    raise PageError(exposure, f"there is no metric {name}", hint)


def _number(exposure: Mapping[str, Any], name: Any, metrics: KnownMetrics) -> Metric:
    metric = _metric(exposure, name, metrics)
    if metric.time_of == PARTS:
        raise PageError(
            exposure,
            f"the metric {name} cannot be compared with the period before",
            "Its mart has parts of the periods, and no days. Show it in a chart, `by` a dimension.",
        )
    return metric


def _chart(exposure: Mapping[str, Any], entry: Any, metrics: KnownMetrics) -> Chart:
    known = {"metric", "by", "first"}
    if (
        not isinstance(entry, Mapping)
        or not {"metric"} <= set(entry) <= known
        or entry.get("first", HIGHEST) not in (HIGHEST, LOWEST)
        or ("first" in entry and "by" not in entry)
    ):
        raise PageError(
            exposure,
            f"its chart {entry} is not understood",
            "A chart has a `metric` and, unless it shows the metric over time, `by`; with `by` also"
            f" `first`, which is {HIGHEST} or {LOWEST}.",
        )
    metric, by = _metric(exposure, entry["metric"], metrics), entry.get("by")
    dimensions = ", ".join(sorted(metric.dimensions)) or "none"
    if by is not None and not isinstance(by, str):
        raise PageError(exposure, f"{by} is no dimension", f"Its dimensions: {dimensions}.")
    if by is None and metric.time_of != DAYS:
        raise PageError(
            exposure,
            f"the metric {metric.name} cannot be shown over time",
            f"Its mart has no days. Show it `by` one of its dimensions: {dimensions}.",
        )
    if by is not None and by not in metric.dimensions:
        raise PageError(
            exposure,
            f"the metric {metric.name} has no dimension {by}",
            f"Its dimensions: {dimensions}.",
        )
    return Chart(metric, by, entry.get("first") == LOWEST)
