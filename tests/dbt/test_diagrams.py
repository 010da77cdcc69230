"""The diagrams of the pages are those of the project now: `make docs` draws them."""

from typing import Any

import pytest

from docs import generate_diagrams
from tests.support.project_files import relative


@pytest.fixture(scope="module")
def drawn(demo: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Each page as it is, and as it should be."""
    return {
        relative(path): (path.read_text(encoding="utf-8"), text)
        for path, text in generate_diagrams.pages(demo).items()
    }


def test_diagrams_are_up_to_date(drawn: dict[str, tuple[str, str]]) -> None:
    stale = [page for page, (written, wanted) in drawn.items() if written != wanted]
    assert not stale, "make docs"


def test_every_domain_has_its_tables_and_its_star(drawn: dict[str, tuple[str, str]]) -> None:
    for page, (_, text) in drawn.items():
        assert "<!-- diagram of the application -->\n```mermaid" in text, page
        if page != "docs/media.md":
            assert "<!-- diagram of the star -->\n```mermaid" in text, page


def test_columns_and_references_are_those_of_the_schema(
    drawn: dict[str, tuple[str, str]],
) -> None:
    _, text = drawn["docs/ecommerce.md"]
    assert 'orders ||--o{ order_items : "order_id"' in text
    assert "        int product_id PK, FK\n        int quantity\n" in text
    assert 'dwh_dim_ecommerce_customers ||--o{ dwh_fact_ecommerce_orders : "customer_key"' in text
    _, text = drawn["docs/sales.md"]
    assert 'dwh_dim_dates ||--o{ dwh_fact_sales : "sold_date_key"' in text
    assert " : " not in text.partition("## The star")[0].partition("erDiagram")[2]
