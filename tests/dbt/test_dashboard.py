"""The dashboard of a warehouse: its numbers, its findings, and what it says about itself."""

import re
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from dbt.contracts.graph.manifest import Manifest

from dashboard.figures import View, views_of
from dashboard.marts import Marts
from dashboard.metrics import metrics_of
from dashboard.pages import pages_of
from dashboard.trust import trust
from dashboard.writing import DashboardError, write_dashboard
from tests.support.dbt_warehouse import Warehouse
from warehouse.connection import transaction

TODAY = date(2026, 3, 10)


@pytest.fixture(scope="module")
def content(manifest: Manifest) -> dict[str, Any]:
    return manifest.writable_manifest().to_dict(omit_none=False)


@pytest.fixture
def sold(warehouse: Warehouse) -> Warehouse:
    """Sales of 25 months, the newest of which are of TODAY, and one without a day."""
    warehouse.query(
        "update dwh.dwh_fact_sales set sale_quantity = 1, sold_date = case when sale_id = 1"
        " then null else %s::date - (30 - sale_id)::integer * 26 end",
        TODAY,
    )
    return warehouse


def sales_views(warehouse: Warehouse, content: dict[str, Any]) -> dict[str, View]:
    (page,) = pages_of(content, metrics_of(content))
    with transaction(warehouse.connection), warehouse.connection.cursor() as cursor:
        return {view.period.name: view for view in views_of(page, Marts(cursor)) if view.period}


def test_periods_end_with_the_last_day_that_has_data(
    sold: Warehouse, content: dict[str, Any]
) -> None:
    views = sales_views(sold, content)
    assert [(name, view.days) for name, view in views.items()] == [
        ("all", "12 March 2024 to 10 March 2026"),
        ("year", "11 March 2025 to 10 March 2026"),
        ("quarter", "11 December 2025 to 10 March 2026"),
        ("month", "9 February 2026 to 10 March 2026"),
    ]
    # one sale has no day, and belongs to all time alone
    pieces = {name: view.numbers[0].value for name, view in views.items()}
    assert pieces == {"all": "30", "year": "15", "quarter": "4", "month": "2"}
    assert views["all"].numbers[0].change == ""
    assert views["month"].numbers[0].change == "100.0 % more than in the 30 days before"
    assert views["quarter"].numbers[0].change == "33.3 % more than in the 90 days before"


def test_titles_say_the_finding(sold: Warehouse, content: dict[str, Any]) -> None:
    sold.query("update dwh.dwh_fact_sales set sale_quantity = 4 where sold_date = '2026-02-12'")
    sold.query("update dwh.dwh_fact_sales set product_id = 1 where sale_id = 30")
    ((product,),) = sold.query("select product_name from dwh.dwh_dim_products where product_id = 1")
    figures = sales_views(sold, content)["year"].figures
    over_time, by_country, by_group, products, customers, share = figures
    assert over_time.title == "Pieces sold: 4 in February 2026, 300.0 % more than in January 2026"
    assert (over_time.bars[-1].name, over_time.extent) == ("March 2026", "up to 4")
    assert re.fullmatch(
        r"[A-Z]\w+: \d+\.\d % of pieces sold, and \d+\.\d % for unknown country", by_country.title
    )
    assert by_country.bars[0].length == 1
    # no group is known, and then nothing can be said of one
    assert by_group.title == "Pieces sold by product group"
    one = re.fullmatch(
        r"(.+): \d+\.\d % of pieces sold, and \d+\.\d % for unknown product 10\d", products.title
    )
    assert one and one[1] == product
    assert re.fullmatch(r"Customer \d+ \(.+\): \d+\.\d % of pieces sold", customers.title)
    assert share.title.startswith("Share of large sales: highest for ")


def test_every_part_of_a_period_has_a_bar(sold: Warehouse, content: dict[str, Any]) -> None:
    views = sales_views(sold, content)
    bars = {name: [bar.value for bar in view.figures[0].bars] for name, view in views.items()}
    assert (len(bars["all"]), bars["all"].count("0")) == (25, 0)
    assert bars["month"] == ["1", *["0"] * 25, "1"]


def test_page_whose_mart_is_not_built_is_empty(sold: Warehouse, content: dict[str, Any]) -> None:
    sold.query("drop view dwh.dwh_mart_daily_sales")
    assert sales_views(sold, content) == {}


class Checker(HTMLParser):
    """Collects what a page would fetch from elsewhere, its ids and what refers to them."""

    def __init__(self) -> None:
        super().__init__()
        self.outside: list[str] = []
        self.ids: list[str] = []
        self.referred: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "action") and value != "data:,":
                self.outside.append(f"{tag} {name} {value}")
            if name == "id":
                self.ids.append(value or "")
            if name == "aria-labelledby":
                self.referred.append(value or "")


def test_file_is_whole_and_needs_nothing_from_outside(
    sold: Warehouse, content: dict[str, Any], manifest: Manifest, tmp_path: Path
) -> None:
    sold.query("update dwh.dwh_dim_customers set country = '<b>A & B' where country = 'USA'")
    written = tmp_path / "manifest.json"
    manifest.writable_manifest().write(str(written))
    file = write_dashboard(sold.connection, written, tmp_path / "out" / "dashboard.html")
    assert [path.name for path in file.parent.iterdir()] == ["dashboard.html"]
    html = file.read_text(encoding="utf-8")
    assert "&lt;b&gt;A &amp; B" in html and "<b>A" not in html
    checker = Checker()
    checker.feed(html)
    assert checker.outside == [] and "url(" not in html
    assert "script" not in checker.tags
    assert len(set(checker.ids)) == len(checker.ids)
    assert checker.referred and set(checker.referred) <= set(checker.ids)
    names = [row[0] for row in sold.query("select customer_name from dwh.dwh_dim_customers")]
    assert not [name for name in names if name in html]
    with pytest.raises(DashboardError, match=r"gone: cannot be read .*\nHINT: Let dbt"):
        write_dashboard(sold.connection, tmp_path / "manifest.json.gone", file)
    with pytest.raises(DashboardError, match=r"x: cannot be written \(.+\)\nHINT: Choose another"):
        write_dashboard(sold.connection, written, file / "x")
    sold.query("drop view dwh.dwh_operations_mirror_state")
    with pytest.raises(DashboardError, match=r"^dashboard: nothing is built yet\nHINT: Start with"):
        write_dashboard(sold.connection, written, file)
    assert file.read_text(encoding="utf-8") == html


def test_what_is_stale_different_or_failed_is_told_at_the_top(
    warehouse: Warehouse, content: dict[str, Any]
) -> None:
    now = datetime.now(UTC)

    def warnings() -> list[str]:
        with warehouse.connection.cursor() as cursor:
            return list(trust(cursor, content, now).warnings)

    assert warnings() == ["Nothing has been mirrored yet."]
    for table, age in (("mrr_fact_sales", timedelta(minutes=5)), ("mrr_dim_products", timedelta())):
        warehouse.query(
            "insert into dwh.high_water_mark (table_name, high_water_mark, run_id, read_at)"
            " values (%s, '1', 'r', %s)",
            table,
            now - age,
        )
    never = "Never compared with the source: mrr_dim_products, mrr_fact_sales."
    assert warnings() == [never]
    warehouse.query(
        "insert into dwh.mirror_verification (run_id, table_name, source_rows, mirror_rows,"
        " is_equal, method, checked_from, checked_to) select 'r', table_name, 1, 1,"
        " table_name = 'mrr_fact_sales', 'every row', %s, %s from dwh.high_water_mark",
        now,
        now,
    )
    different = "Not equal to the source when last compared: mrr_dim_products."
    assert warnings() == [different]
    warehouse.query(
        "update dwh.high_water_mark set read_at = %s where table_name = 'mrr_fact_sales'",
        now - timedelta(hours=27),
    )
    stale = "The data is stale: mrr_fact_sales was last read 27 h ago."
    assert warnings() == [stale, different]
    warehouse.query(
        "insert into dwh.run_log (run_id, process, step, status, started_at, error_message)"
        " values ('r1', 'run', 'run', 'error', %s, 'mrr_dim_products')",
        now,
    )
    assert warnings() == [stale, different, "The last run, r1, ended with error: mrr_dim_products."]
