"""What is declared to be published: the demo's, and what is refused."""

from pathlib import Path

import pytest

from publishing.declared import Events, Published, declared_publications
from publishing.errors import WrongPublication

SOURCE = """\
sources:
  - name: shop
    schema: mrr
    config: {{meta: {{operational_database: shop}}}}
    tables:
      - name: mrr_fact_shop_orders
        config: {{meta: {{key: [order_id], publish: {publish}}}}}
"""


def declared(tmp_path: Path, text: str, folder: str = "mrr/shop") -> list[Published]:
    path = tmp_path / "models" / folder
    path.mkdir(parents=True)
    (path / "_shop.yml").write_text(text, encoding="utf-8")
    return declared_publications(tmp_path)


def test_demo_publishes_its_star() -> None:
    found = {one.name: one for one in declared_publications()}
    assert {
        *("dwh_fact_sales", "dwh_dim_customers", "dwh_dim_products", "dwh_dim_dates"),
        *("dwh_fact_ewallet_transactions", "dwh_dim_ewallet_users", "dwh_dim_ewallet_merchants"),
        *("dwh_fact_ecommerce_orders", "dwh_fact_ecommerce_order_items"),
        *("dwh_dim_ecommerce_customers", "dwh_dim_ecommerce_products"),
        *("mrr_fact_ewallet_transactions", "mrr_fact_sales", "mrr_dim_media_files"),
        *("dwh_mart_ewallet_event_transactions", "dwh_history_customers", "dwh_history_products"),
        *("dwh_fact_ewallet_document_transactions", "dwh_fact_ewallet_document_entries"),
    } == set(found)
    assert found["mrr_fact_sales"] == Published(
        "sales", "mrr", "mrr_fact_sales", ("id",), ("id",), "created_at", {}, True
    )
    assert found["dwh_fact_sales"].key == ()


def test_table_of_the_mirror_is_ordered_by_its_key(tmp_path: Path) -> None:
    (found,) = declared(tmp_path, SOURCE.format(publish="{partition_by: ordered_at}"))
    assert (found.key, found.order_by, found.demo) == (("order_id",), (), False)


@pytest.mark.parametrize(
    ("publish", "told"),
    [
        ("true", "is true\nHINT: Give `name: value` pairs below it."),
        ("{orderby: [a]}", '"orderby" is not known in publish\nHINT: The known keys are'),
        ("{order_by: a}", 'publish.order_by is "a"\nHINT: Give a list of columns'),
        ("{order_by: [a, a]}", 'publish.order_by is ["a", "a"]'),
        ("{order_by: [a], partition_by: [b]}", 'publish.partition_by is ["b"]'),
        ("{order_by: [a], types: {a: Int8}}", "publish.types is a mapping\nHINT: Give each column"),
        ("{order_by: [a], types: [a]}", "HINT: Give `column: type` pairs."),
    ],
    ids=["no mapping", "misspelled", "no list", "twice", "two months", "type", "types"],
)
def test_wrong_declaration_is_told_with_its_line(tmp_path: Path, publish: str, told: str) -> None:
    with pytest.raises(WrongPublication) as caught:
        declared(tmp_path, SOURCE.format(publish=publish))
    assert str(caught.value).startswith("mrr_fact_shop_orders in _shop.yml line 7")
    assert told in str(caught.value)


def test_table_of_events_is_keyed_by_its_order_and_knows_their_log() -> None:
    found = {one.name: one for one in declared_publications()}
    events = found["dwh_mart_ewallet_event_transactions"]
    assert events.key == events.order_by == ("transaction_id",)
    assert events.events == Events(
        *("stg_fact_ewallet_transaction_events", "dwh_mart_ewallet_transaction_states"),
        *("version_at", "is_deleted", "mrr_fact_ewallet_transaction_events", ("landing_id",)),
    )


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ("{from: stg_a, states: dwh_b, version: c}", "publish.events.deleted is missing"),
        ("{from: stg_a, state: dwh_b}", '"state" is not known in publish.events'),
        ("stg_a", 'publish.events is "stg_a"'),
        (
            "{from: stg_a, states: dwh_b, version: c, deleted: d}",
            "stg_a, of which it is made, has no entry with `changes` of one table\nHINT: Give its",
        ),
        (
            "{from: stg_a, states: dwh_b, version: c, deleted: d}, partition_by: d",
            "cannot be given with publish.events\nHINT: Leave it out",
        ),
    ],
    ids=["missing", "misspelled", "no mapping", "no log", "by months"],
)
def test_wrong_declaration_of_events_is_told(tmp_path: Path, events: str, told: str) -> None:
    text = "models:\n  - name: dwh_a\n    config: {meta: {publish: {order_by: [a], events: %s}}}\n"
    with pytest.raises(WrongPublication) as caught:
        declared(tmp_path, text % events, "dwh/shop")
    assert told in str(caught.value)


def test_model_needs_an_order_and_is_of_dwh(tmp_path: Path) -> None:
    text = "models:\n  - name: {}\n    config: {{meta: {{publish: {{{}}}}}}}\n"
    with pytest.raises(WrongPublication, match=r"publish.order_by is missing"):
        declared(tmp_path / "a", text.format("dwh_fact_shop_orders", ""), "dwh/shop")
    with pytest.raises(WrongPublication, match="Only tables of mrr and dwh are published"):
        declared(tmp_path / "b", text.format("stg_fact_orders", "order_by: [a]"), "stg/shop")
