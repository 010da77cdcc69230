"""How metrics are read from dbt's manifest, and which are left to MetricFlow."""

from copy import deepcopy
from typing import Any

import pytest

from dashboard.metrics import DAYS, NOW, MetricError, metrics_of

MEASURE = {"agg": "sum", "expr": None, "agg_time_dimension": None, "non_additive_dimension": None}
ORDERS = {
    "name": "orders",
    "node_relation": {"schema_name": "dwh", "alias": "mart"},
    "defaults": {"agg_time_dimension": "ordered_on"},
    "measures": [
        {**MEASURE, "name": "order_count"},
        {**MEASURE, "name": "odd_count", "expr": "amount % 2"},
        {**MEASURE, "name": "buyer_count", "agg": "count_distinct", "expr": "buyer"},
        {**MEASURE, "name": "shipped_count", "agg_time_dimension": "shipped_on"},
    ],
    "dimensions": [
        {"name": "ordered_on", "expr": None, "type_params": {"time_granularity": "day"}},
        {"name": "shipped_on", "expr": "s", "type_params": {"time_granularity": "month"}},
        {"name": 'the "key"', "expr": None, "type_params": None},
        {"name": "is_dear", "expr": "amount > 9", "type_params": None},
    ],
}
VISITS = {
    **ORDERS,
    "name": "visits",
    "measures": [{**MEASURE, "name": "visit_count"}],
}


def simple(name: str, measure: str) -> dict[str, Any]:
    used = {"name": measure, "filter": None, "fill_nulls_with": None}
    return {
        "name": name,
        "label": name.title(),
        "description": "",
        "type": "simple",
        "config": {},
        "filter": None,
        "type_params": {"measure": used},
    }


def ratio(name: str, above: str, below: str) -> dict[str, Any]:
    parts = [{"name": part, "filter": None, "offset_window": None} for part in (above, below)]
    return {
        **simple(name, ""),
        "type": "ratio",
        "type_params": dict(zip(("numerator", "denominator"), parts, strict=True)),
    }


def manifest_of(*metrics: dict[str, Any]) -> dict[str, Any]:
    return {
        "semantic_models": {"a": deepcopy(ORDERS), "b": deepcopy(VISITS)},
        "metrics": {one["name"]: deepcopy(one) for one in metrics},
    }


ORDER_COUNT, VISIT_COUNT = simple("orders", "order_count"), simple("visits", "visit_count")
BUYERS = simple("buyers", "buyer_count")


def test_metrics_are_columns_expressions_and_ratios() -> None:
    odd, per_buyer = simple("odd", "odd_count"), ratio("per_buyer", "orders", "buyers")
    metrics = metrics_of(manifest_of(ORDER_COUNT, odd, BUYERS, per_buyer))
    assert {name: metric.value for name, metric in metrics.items()} == {
        "orders": 'sum("order_count")',
        "odd": "sum(amount %% 2)",
        "buyers": "count(distinct buyer)",
        "per_buyer": 'sum("order_count")::double precision'
        " / nullif(count(distinct buyer), 0)::double precision",
    }
    assert metrics["orders"].dimensions == {
        "shipped_on": "s",
        'the "key"': '"the ""key"""',
        "is_dear": "amount > 9",
    }


def test_measure_may_have_a_time_of_its_own() -> None:
    metric = metrics_of(manifest_of(simple("shipped", "shipped_count")))["shipped"]
    assert (metric.time, metric.grain) == ("s", "month")
    assert "date_trunc('quarter', s)" in metric.query(grain="quarter")
    with pytest.raises(MetricError, match="metric shipped: it cannot be told by week\nHINT: Its"):
        metric.query(grain="week")


def test_meta_says_what_is_shown_and_what_the_time_is() -> None:
    titled = ORDER_COUNT | {"config": {"meta": {"title": "Orders", "unit": "%"}}}
    manifest = manifest_of(titled, VISIT_COUNT)
    manifest["semantic_models"]["a"]["config"] = {"meta": {"time": "now"}}
    metrics = metrics_of(manifest)
    assert {
        name: (metric.label, metric.unit, metric.time_of) for name, metric in metrics.items()
    } == {"orders": ("Orders", "%", NOW), "visits": ("Visits", "", DAYS)}
    manifest["semantic_models"]["a"]["config"] = {"meta": {"time": "then"}}
    found = metrics_of(manifest)
    assert set(found) == {"visits"}
    assert str(found.refused["orders"]) == (
        "metric orders: the time of its semantic model is then\n"
        "HINT: It is days, parts or now; docs/metrics.md says what these mean."
    )


def test_dimension_that_it_does_not_have_is_told() -> None:
    metric = metrics_of(manifest_of(ORDER_COUNT))["orders"]
    with pytest.raises(MetricError) as caught:
        metric.query(by=["colour"])
    assert str(caught.value).startswith("metric orders: it has no dimension colour\nHINT: It has: ")


@pytest.mark.parametrize(
    ("metric", "problem"),
    [
        (ORDER_COUNT | {"type": "cumulative"}, "metrics of type cumulative"),
        (ORDER_COUNT | {"filter": {"where_filters": []}}, "a filter or fill_nulls_with"),
        (ratio("r", "orders", "visits"), "are of two semantic models"),
        (ratio("r", "orders", "r2"), "if both its parts are simple metrics"),
    ],
    ids=["cumulative", "filter", "two models", "ratio of a ratio"],
)
def test_what_metricflow_alone_understands_is_left_to_it(
    metric: dict[str, Any], problem: str
) -> None:
    others = (ORDER_COUNT, VISIT_COUNT, BUYERS, ratio("r2", "orders", "buyers"))
    odd = metric | {"name": "odd"}
    found = metrics_of(manifest_of(*others, odd))
    assert set(found) == {"orders", "visits", "buyers", "r2"}
    assert problem in str(found.refused["odd"])


def test_mart_by_the_hour_is_left_to_metricflow() -> None:
    manifest = manifest_of(ORDER_COUNT)
    for dimension in manifest["semantic_models"]["a"]["dimensions"]:
        dimension["type_params"] = {"time_granularity": "hour"}
    assert "its mart has one row per hour" in str(metrics_of(manifest).refused["orders"])
