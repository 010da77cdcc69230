"""How pages are declared, and what is said of a wrong declaration."""

from dataclasses import replace
from typing import Any

import pytest

from dashboard.metrics import NOW, PARTS, KnownMetrics, MetricError, metrics_of
from dashboard.pages import Page, PageError, pages_of
from tests.dashboard.test_metrics import BUYERS, ORDER_COUNT, manifest_of

METRICS = metrics_of(manifest_of(ORDER_COUNT, BUYERS))
METRICS |= {
    name: replace(METRICS["orders"], name=name, time_of=time_of)
    for name, time_of in (("best", PARTS), ("stock", NOW))
}


def pages(page: Any, label: str = "Orders", metrics: KnownMetrics = METRICS) -> list[Page]:
    exposure = {
        "name": "orders_dashboard",
        "label": label,
        "description": "",
        "original_file_path": "models/dwh/shop/_dwh_shop__models.yml",
        "config": {"meta": {"page": page}},
    }
    other = exposure | {"name": "other", "config": {"meta": {}}}
    return pages_of({"exposures": {"a": exposure, "b": other}}, metrics)


def test_page_has_numbers_and_charts() -> None:
    charts = [
        {"metric": "orders"},
        {"metric": "orders", "by": "is_dear"},
        {"metric": "best", "by": "is_dear", "first": "lowest"},
    ]
    (page,) = pages({"numbers": ["orders", "stock"], "charts": charts}, label="")
    numbers = [one.name for one in page.numbers]
    assert (page.title, numbers) == ("orders_dashboard", ["orders", "stock"])
    assert [(chart.metric.name, chart.by, chart.lowest_first) for chart in page.charts] == [
        ("orders", None, False),
        ("orders", "is_dear", False),
        ("best", "is_dear", True),
    ]


@pytest.mark.parametrize(
    ("page", "problem", "hint"),
    [
        (["orders"], "its page is not understood", "A page has"),
        ({}, "its page is not understood", "A page has"),
        ({"numbers": "orders"}, "its page is not understood", "A page has"),
        ({"charts": 5}, "its page is not understood", "A page has"),
        ({"charts": {"metric": "orders"}}, "its page is not understood", "A page has"),
        ({"numbers": [{"metric": "orders"}]}, "{'metric': 'orders'} is no metric", "Give the name"),
        ({"charts": [{"metric": ["orders"]}]}, "['orders'] is no metric", "Give the name"),
        ({"charts": [{"metric": "orders", "by": ["is_dear"]}]}, "['is_dear'] is no dim", "Its dim"),
        ({"number": ["orders"]}, "its page is not understood", "A page has"),
        ({"numbers": ["order"]}, "there is no metric order", "Did you mean orders? "),
        ({"charts": ["orders"]}, "its chart orders is not understood", "A chart has"),
        ({"charts": [{"by": "is_dear"}]}, "its chart {'by': 'is_dear'} is not", "A chart has"),
        ({"charts": [{"metric": "orders", "first": "lowest"}]}, "its chart {'metric'", "A chart"),
        (
            {"charts": [{"metric": "orders", "by": "is_dear", "first": "last"}]},
            "its chart {'metric'",
            "A chart has",
        ),
        (
            {"numbers": ["best"]},
            "the metric best cannot be compared with the period before",
            "Its mart has parts of the periods",
        ),
        (
            {"charts": [{"metric": "best"}]},
            "the metric best cannot be shown over time",
            "Its mart has no days. Show it `by` one of its dimensions: is_dear, ",
        ),
        ({"charts": [{"metric": "stock"}]}, "the metric stock cannot be shown over time", "Its"),
        (
            {"charts": [{"metric": "orders", "by": "colour"}]},
            "the metric orders has no dimension colour",
            "Its dimensions: is_dear, ",
        ),
    ],
)
def test_wrong_page_is_told(page: Any, problem: str, hint: str) -> None:
    with pytest.raises(PageError) as caught:
        pages(page)
    told = str(caught.value)
    assert told.startswith(
        f"exposure orders_dashboard (models/dwh/shop/_dwh_shop__models.yml): {problem}"
    )
    assert f"\nHINT: {hint}" in told


def test_metric_that_only_metricflow_understands_is_told_where_it_is_shown() -> None:
    odd = ORDER_COUNT | {"name": "odd", "type": "cumulative"}
    metrics = metrics_of(manifest_of(ORDER_COUNT, odd))
    assert "orders" in metrics
    with pytest.raises(MetricError, match="metric odd: metrics of type cumulative"):
        pages({"numbers": ["orders", "odd"]}, metrics=metrics)
