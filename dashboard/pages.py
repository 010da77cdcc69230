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
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from common.errors import TidemarkError
from common.suggestion import did_you_mean
from dashboard.metrics import Metric

PAGE = "page"
"""The entry of an exposure's `meta` that makes it a page."""


class PageError(TidemarkError):
    """The declaration of a page is wrong."""

    def __init__(self, exposure: Mapping[str, Any], problem: str, hint: str) -> None:
        place = f"exposure {exposure['name']} ({exposure['original_file_path']})"
        super().__init__(place, problem, hint)


@dataclass(frozen=True)
class Chart:
    """A metric over time, or by one of its dimensions."""

    metric: Metric
    by: str | None = None


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


def pages_of(manifest: Mapping[str, Any], metrics: Mapping[str, Metric]) -> list[Page]:
    """The pages of the project, by their titles. Raises PageError."""
    pages = [
        _page(exposure, exposure["config"]["meta"][PAGE], metrics)
        for exposure in manifest["exposures"].values()
        if PAGE in (exposure["config"].get("meta") or {})
    ]
    return sorted(pages, key=lambda page: page.title)


def _page(exposure: Mapping[str, Any], declared: Any, metrics: Mapping[str, Metric]) -> Page:
    if not isinstance(declared, Mapping) or not set(declared) <= {"numbers", "charts"}:
        raise PageError(
            exposure, "its page is not understood", "A page has `numbers` and `charts`."
        )

    def metric(name: Any) -> Metric:
        if name in metrics:
            return metrics[name]
        hint = f"{did_you_mean(str(name), metrics)}docs/metrics.md says how to define one."
        raise PageError(exposure, f"there is no metric {name}", hint)

    def chart(entry: Any) -> Chart:
        if not isinstance(entry, Mapping) or not {"metric"} <= set(entry) <= {"metric", "by"}:
            raise PageError(
                exposure,
                f"its chart {entry} is not understood",
                "A chart has a `metric` and, unless it shows the metric over time, `by`.",
            )
        made = Chart(metric(entry["metric"]), entry.get("by"))
        if made.by is not None and made.by not in made.metric.dimensions:
            known = ", ".join(sorted(made.metric.dimensions)) or "none"
            raise PageError(
                exposure,
                f"the metric {made.metric.name} has no dimension {made.by}",
                f"Its dimensions: {known}.",
            )
        return made

    return Page(
        exposure["name"],
        exposure["label"] or exposure["name"],
        exposure["description"],
        tuple(map(metric, declared.get("numbers") or ())),
        tuple(map(chart, declared.get("charts") or ())),
    )
