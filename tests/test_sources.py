"""A run of two sources as a user starts it, one of which is not there."""

from collections.abc import Callable

from tests.support.command_line import CommandLine, check_told

SHOP = """\
sources:
  - name: shop
    schema: mrr
    config:
      meta:
        operational_database: shop
        source: Shop
    tables:
      - name: mrr_fact_shop_orders
        config: {meta: {operational_table: orders, key: [id]}}
      - name: mrr_fact_shop_others
        config: {meta: {operational_table: others, key: [id]}}
"""
MODEL = "select id as other_id from {{ source('shop', 'mrr_fact_shop_others') }}"


def test_source_that_is_not_there_stops_what_hangs_on_it_and_nothing_else(
    command_line: CommandLine, query: Callable[..., list[tuple]], free_port: int
) -> None:
    models = command_line.folder / "dbt_project" / "models"
    (models / "mrr" / "shop").mkdir()
    (models / "mrr" / "shop" / "_mrr_shop__sources.yml").write_text(SHOP, "utf-8")
    (models / "stg" / "shop").mkdir()
    without_contract = "{{ config(contract={'enforced': false}) }}"
    model = models / "stg" / "shop" / "stg_fact_shop_others.sql"
    model.write_text(without_contract + MODEL, "utf-8")

    undeclared = command_line.run()
    check_told(undeclared, 1, 'OPERATIONAL_SHOP_HOST: not set, but tables of the source "shop"')
    assert query("select table_name from dwh.high_water_mark order by 1") == [
        ("mrr_dim_customers",),
        ("mrr_dim_products",),
        ("mrr_fact_sales",),
    ]
    assert query("select count(*) > 0 from dwh.dwh_mart_daily_sales") == [(True,)]
    assert query("select to_regclass('stg.stg_fact_shop_others')") == [(None,)]

    shop = {
        "OPERATIONAL_SHOP_HOST": "127.0.0.1",
        "OPERATIONAL_SHOP_PORT": str(free_port),
        "OPERATIONAL_SHOP_USER": "reader",
        "OPERATIONAL_SHOP_PASSWORD": "secret",
    }
    down = command_line.run(**shop)
    told = f"operational shop reader@127.0.0.1:{free_port}: no connection"
    check_told(down, 1, told, "set OPERATIONAL_SHOP_HOST and OPERATIONAL_SHOP_PORT to a")
    # two tables, and the error of their server once
    assert down.stderr.count(told) == 1
    check_told(command_line.run("--domain", "shop", **shop), 1, told)
    check_told(command_line.run("--accept-source", "shop=x", "--domain", "sales", **shop), 2)
    assert command_line.run("--domain", "sales", **shop).returncode == 0
