"""How a figure differs from the one before, in words."""

from dataclasses import replace

import pytest

from dashboard.figures import _change
from dashboard.metrics import Metric, metrics_of
from tests.dashboard.test_metrics import ORDER_COUNT, manifest_of

ORDERS = metrics_of(manifest_of(ORDER_COUNT))["orders"]
SHARE = replace(ORDERS, unit="%")


@pytest.mark.parametrize(
    ("metric", "value", "before", "told"),
    [
        (ORDERS, 120, 100, "20.0 % more than in May"),
        (ORDERS, 80, 100, "20.0 % less than in May"),
        (ORDERS, 499, 100, "399.0 % more than in May"),
        (ORDERS, 500, 100, "5 times that of May"),
        (ORDERS, 100.01, 100, "as in May"),
        (ORDERS, 0, 100, "100.0 % less than in May"),
        (ORDERS, 100, 0, ""),
        (ORDERS, 100, None, ""),
        (ORDERS, None, 100, ""),
        (SHARE, 0.5, 0.25, "25.0 points more than in May"),
        (SHARE, 0.25, 0.5, "25.0 points less than in May"),
        (SHARE, 0.5004, 0.5, "as in May"),
    ],
)
def test_change_is_told_in_percent_points_or_times(
    metric: Metric, value: float | None, before: float | None, told: str
) -> None:
    assert _change(metric, value, before, "May") == told
