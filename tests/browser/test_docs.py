"""dbt's documentation as one file, in a browser."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import run_dbt
from tests.browser.documents import Document
from tests.support.command_line import CommandLine

MANY = 60_000
"""Milliseconds in which a page of the documentation must have been drawn."""
UNFILLED = "%7B"
"""A brace: dbt's page names pictures beside it by templates before it has filled them in."""
PAGES = {
    "an exposure": ("exposure", "exposure.tidemark.ecommerce_dashboard", "web shop in EUR"),
    "a mirrored table": ("source", "source.tidemark.sales.mrr_fact_sales", "customerId"),
    "a control table": ("source", "source.tidemark.control.run_log", "rows_affected"),
    "a model in stg": ("model", "model.tidemark.stg_fact_sales", "sale_quantity"),
    "a fact": ("model", "model.tidemark.dwh_fact_sales", "Pieces sold"),
    "a history": ("snapshot", "snapshot.tidemark.dwh_history_customers", "dbt_valid_to"),
    "a seed": ("seed", "seed.tidemark.stg_seed_media_types", "file_type"),
    "a metric": ("metric", "metric.tidemark.sales_quantity", "Pieces sold"),
    "a routine": ("macro", "macro.tidemark.most_popular_product", "most_popular_product"),
}
"""The kind, the node, and a word of its page."""


@pytest.fixture(scope="module")
def documentation(lived: CommandLine, browser: Browser) -> Document:
    run_dbt(lived, "docs", "generate", "--static")
    return Document(browser, lived.folder / "dbt_project" / "target" / "static_index.html")


def test_documentation_asks_for_nothing_and_shows_each_kind(documentation: Document) -> None:
    heard: list[str] = []
    with documentation.open(heard=heard) as page:
        page.get_by_role("heading", name="The warehouse").wait_for(timeout=MANY)
        for kind, node, word in PAGES.values():
            page.goto(f"{documentation.file.as_uri()}#!/{kind}/{node}")
            page.get_by_text(word).filter(visible=True).first.wait_for(timeout=MANY)
    assert [told for told in heard if UNFILLED not in told] == []


def test_documentation_that_reports_to_somebody_is_noticed(
    documentation: Document, tmp_path: Path
) -> None:
    html = documentation.file.read_text(encoding="utf-8")
    silent = '"send_anonymous_usage_stats": false'
    assert silent in html
    file = tmp_path / "talking.html"
    file.write_text(html.replace(silent, silent.replace("false", "true")), encoding="utf-8")
    heard: list[str] = []
    with Document(documentation.browser, file).open(heard=heard) as page:
        page.get_by_role("heading", name="The warehouse").wait_for(timeout=MANY)
    assert any(told.startswith("asks for ") and UNFILLED not in told for told in heard)


def test_lineage_goes_from_the_mirror_to_the_dashboard(documentation: Document) -> None:
    start = f"{documentation.file.as_uri()}#!/overview?g_v=1&g_i=%2Bexposure:sales_dashboard"
    with documentation.open() as page:
        page.goto(start)
        page.reload()
        page.wait_for_function(DRAWN, timeout=MANY)
        assert page.evaluate(COLOURS) > 3


DRAWN = """() => [...document.querySelectorAll('canvas')]
  .some(one => one.width > 300 && one.getContext('2d'))"""
COLOURS = """() => Math.max(...[...document.querySelectorAll('canvas')].map(one => {
  const data = one.getContext('2d').getImageData(0, 0, one.width, one.height).data;
  const found = new Set();
  for (let at = 0; at < data.length; at += 4)
    if (data[at + 3]) found.add(`${data[at]} ${data[at + 1]} ${data[at + 2]}`);
  return found.size;
}))"""


def test_every_table_that_was_built_is_described(
    lived: CommandLine, documentation: Document
) -> None:
    target = lived.folder / "dbt_project" / "target"
    manifest = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
    catalog = json.loads((target / "catalog.json").read_text(encoding="utf-8"))
    nodes = {**manifest["nodes"], **manifest["sources"]}
    built = {**catalog["nodes"], **catalog["sources"]}
    assert len(built) > 60
    missing = [
        f"{key}.{name}"
        for key, table in built.items()
        for name in table["columns"]
        if not (nodes[key]["columns"].get(name) or {}).get("description")
    ]
    assert missing == []
