"""How pages are declared, and what is said of a wrong declaration."""

from typing import Any

import pytest

from dashboard.metrics import metrics_of
from dashboard.pages import Page, PageError, pages_of
from tests.dashboard.test_metrics import ORDER_COUNT, manifest_of

METRICS = metrics_of(manifest_of(ORDER_COUNT))


def pages(page: Any, label: str = "Orders") -> list[Page]:
    exposure = {
        "name": "orders_dashboard",
        "label": label,
        "description": "",
        "original_file_path": "models/dwh/shop/_dwh_shop__models.yml",
        "config": {"meta": {"page": page}},
    }
    other = exposure | {"name": "other", "config": {"meta": {}}}
    return pages_of({"exposures": {"a": exposure, "b": other}}, METRICS)


def test_page_has_numbers_and_charts() -> None:
    charts = [{"metric": "orders"}, {"metric": "orders", "by": "is_dear"}]
    (page,) = pages({"numbers": ["orders"], "charts": charts}, label="")
    assert (page.title, [one.name for one in page.numbers]) == ("orders_dashboard", ["orders"])
    assert [(chart.metric.name, chart.by) for chart in page.charts] == [
        ("orders", None),
        ("orders", "is_dear"),
    ]


@pytest.mark.parametrize(
    ("page", "problem", "hint"),
    [
        (["orders"], "its page is not understood", "A page has"),
        ({"number": ["orders"]}, "its page is not understood", "A page has"),
        ({"numbers": ["order"]}, "there is no metric order", "Did you mean orders? "),
        ({"charts": ["orders"]}, "its chart orders is not understood", "A chart has"),
        ({"charts": [{"by": "is_dear"}]}, "its chart {'by': 'is_dear'} is not", "A chart has"),
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
