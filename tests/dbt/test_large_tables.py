"""Large tables: what a run compares and tests of them, and what dbt by hand does."""

import json
import random

import pytest

LARGE = ["--vars", json.dumps({"whole_table_rows": 0})]
"""Every table is large."""
TOTALS = "every_sale_reaches_the_warehouse"


@pytest.fixture
def run(warehouse, monkeypatch: pytest.MonkeyPatch):
    """dbt as a run calls it, over large tables that it has built before."""
    warehouse.query("analyze")
    warehouse.query("delete from mrr_state.change_log")

    def dbt(*arguments: str, succeeds: bool = True) -> None:
        with monkeypatch.context() as patch:
            patch.setenv("TIDEMARK_CHANGES_ONLY", "1")
            warehouse.dbt(*arguments, *LARGE, succeeds=succeeds)

    # the second build is the first that has a position to go on from
    dbt("build", "--exclude-resource-types", "unit_test")
    return dbt


def damage(warehouse, sale: int) -> None:
    warehouse.query(
        "update dwh.dwh_fact_sales set sale_quantity = sale_quantity + 1 where sale_id = %s", sale
    )


def test_run_tests_the_rows_that_it_changed_and_dbt_by_hand_all(warehouse, run) -> None:
    warehouse.update("mrr_fact_sales", 5, qty=9)
    run("build", "--exclude-resource-types", "unit_test")
    damage(warehouse, 6)
    run("test", "--select", f"assert_{TOTALS}")
    damage(warehouse, 5)
    run("test", "--select", f"assert_{TOTALS}", succeeds=False)
    warehouse.query("update dwh.dwh_fact_sales set sale_quantity = 9 where sale_id = 5")
    warehouse.dbt("test", "--select", f"assert_{TOTALS}", succeeds=False)


def test_run_reads_no_mart_over_a_large_table_and_dbt_by_hand_does(warehouse, run) -> None:
    test = ("test", "--select", "assert_rows_of_dwh_mart_daily_sales_are_as_described")
    warehouse.query(
        "create or replace view dwh.dwh_mart_daily_sales as select sold_date, country,"
        " product_group, sale_count, sale_quantity, sale_count + 1 as large_sale_count from ("
        + warehouse.value("select pg_get_viewdef('dwh.dwh_mart_daily_sales'::regclass)").rstrip(";")
        + ") as sales"
    )
    run(*test)
    warehouse.dbt(*test, succeeds=False)
    run(*test, succeeds=False)


def test_row_that_fails_is_told_by_each_run_until_it_is_mended(warehouse, run) -> None:
    test = ("test", "--select", f"assert_{TOTALS}")
    warehouse.update("mrr_fact_sales", 5, qty=9)
    run("build", "--exclude-resource-types", "unit_test")
    damage(warehouse, 5)
    run(*test, succeeds=False)
    # as the end of the run does
    warehouse.query("delete from mrr_state.change_log")
    run(*test, succeeds=False)
    warehouse.query("update dwh.dwh_fact_sales set sale_quantity = 9 where sale_id = 5")
    run(*test)
    damage(warehouse, 6)
    run(*test)


def test_run_tests_the_rows_whose_customer_changed(warehouse, run) -> None:
    (sale, customer), *_ = warehouse.query(
        "select sale_id, customer_id from dwh.dwh_fact_sales where customer_key > 0 order by 1"
    )
    warehouse.update("mrr_dim_customers", customer, country="Peru")
    run("build", "--exclude-resource-types", "unit_test")
    warehouse.query("update dwh.dwh_fact_sales set customer_key = 1 where sale_id = %s", sale)
    run("test", "--select", "dwh_fact_sales,test_name:relationships", succeeds=False)


def test_table_that_was_made_anew_is_built_and_tested_whole(warehouse, run) -> None:
    """As when somebody has dropped a mirrored table, and the next run loads it."""
    warehouse.query("delete from mrr.mrr_fact_sales where id in (1, 2)")
    warehouse.query("update mrr.mrr_fact_sales set qty = 77 where id = 3")
    warehouse.query(
        "insert into mrr_state.change_log (table_name, operation, run_id)"
        " values ('mrr_fact_sales', 'load', 'test')"
    )
    run("build", "--exclude-resource-types", "unit_test")
    assert warehouse.query(
        "select sale_id, sale_quantity from dwh.dwh_fact_sales where sale_id < 4"
    ) == [(3, 77)]
    damage(warehouse, 6)
    run("test", "--select", f"assert_{TOTALS}", succeeds=False)


def test_history_of_a_large_table_is_built_from_the_change_log(warehouse, run) -> None:
    warehouse.update("mrr_dim_customers", 1, country="Peru")
    warehouse.delete("mrr_dim_customers", 2)
    warehouse.insert("mrr_dim_customers", id=77, name="New Nora", country="Chile")
    warehouse.query("update mrr.mrr_dim_customers set country = 'Fiji' where id = 3")
    run("build", "--exclude-resource-types", "unit_test")
    versions = (
        "select customer_id, country, dbt_valid_to is null from dwh.dwh_history_customers"
        " where customer_id in (1, 2, 3, 77) order by customer_id, dbt_valid_from"
    )
    found = warehouse.query(versions)
    assert [(key, is_open) for key, _, is_open in found] == [
        (1, False),
        (1, True),
        (2, False),
        (3, True),
        (77, True),
    ]
    assert "Fiji" not in {country for _, country, _ in found}
    warehouse.dbt("snapshot")
    assert (3, "Fiji", True) in warehouse.query(versions)


def test_changed_rows_of_stg_are_found_by_the_index_of_the_mirror(warehouse) -> None:
    """A `with` in a view, or a key that is cast, would have each run read the whole table."""
    warehouse.query("set enable_seqscan = off; set enable_hashjoin = off")
    warehouse.query("set enable_mergejoin = off; set enable_material = off")
    for entity, key in (
        ("sales", "sale_id"),
        ("customers", "customer_id"),
        ("products", "product_id"),
    ):
        kind = "fact" if entity == "sales" else "dim"
        for view in (f"stg_checked_{entity}", f"stg_{kind}_{entity}", f"stg_rejected_{entity}"):
            plan = warehouse.query(
                f"explain select * from stg.{view}"
                f" where ({key}) in (select unread from generate_series(1, 3) as unread)"
            )
            assert any("Index Cond: (id = unread" in line for (line,) in plan), (view, plan)


def test_random_changes_of_large_tables_end_where_a_full_refresh_ends(warehouse, run) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for turn in range(3):
        for key in chance.sample(range(1, 20), 4):
            warehouse.update("mrr_fact_sales", key, qty=chance.randint(0, 9))
            warehouse.update("mrr_dim_customers", key, country=chance.choice("ABC"))
        warehouse.delete("mrr_fact_sales", 20 + turn)
        warehouse.insert("mrr_fact_sales", id=100 + turn, customerId=1, productId=turn, qty=2)
        run("build", "--exclude-resource-types", "unit_test")
    facts = warehouse.table("dwh_fact_sales")
    warehouse.dbt("test", "--exclude-resource-types", "unit_test")
    warehouse.dbt("run", "--full-refresh", "--select", "dwh_fact_sales")
    assert warehouse.table("dwh_fact_sales") == facts


def test_table_that_was_built_whole_is_analyzed_and_not_each_time(warehouse) -> None:
    def analyzed() -> int:
        return warehouse.value(
            "select analyze_count from pg_stat_user_tables where relid = %s::regclass",
            "dwh.dwh_fact_sales",
        )

    warehouse.dbt("run", "--select", "dwh_fact_sales", "--full-refresh")
    assert analyzed() == 1
    warehouse.update("mrr_fact_sales", 5, qty=9)
    warehouse.dbt("run", "--select", "dwh_fact_sales")
    assert analyzed() == 1
