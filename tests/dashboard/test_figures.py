"""What is said of a figure: how it differs from the one before, and what a ranking shows."""

from dataclasses import replace

import pytest

from dashboard.figures import _change, _extent, _finding, _lower
from dashboard.marts import Ranking
from dashboard.metrics import Metric, metrics_of
from dashboard.pages import Chart
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
        (ORDERS, -5, 100, "100 in May"),
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


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([("A", 60.0), ("B", 40.0)], "A: 60.0 % of number of orders"),
        # what is negative would make it 5,000 % of a whole of 2
        ([("A", 100.0), ("B", -98.0)], "Number of orders: highest for A, 100"),
    ],
)
def test_share_is_told_only_of_a_whole_that_has_it(rows: list, told: str) -> None:
    chart = Chart(replace(ORDERS, label="Number of orders", is_additive=True), "is_dear")
    found = Ranking(rows, rows[0], len(rows), sum(value for _, value in rows))
    assert _finding(chart, found) == told


def test_values_below_zero_are_in_the_words_below_a_title() -> None:
    assert _extent(ORDERS, [1, None, 5]) == "up to 5"
    assert _extent(ORDERS, [-3, 5]) == "from -3 to 5"
    assert _extent(ORDERS, [-3, -2]) == "from -3 to -2"


def test_abbreviation_in_a_sentence_keeps_its_capitals() -> None:
    assert [_lower(one) for one in ("Revenue", "EUR amount", "")] == ["revenue", "EUR amount", ""]
