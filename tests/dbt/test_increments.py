"""What the incremental models make of changes, deletes, failures and each other."""

import os
import random

import pytest

from tests.support.waiting import wait_for
from warehouse.upgrade import upgrade

MODELS = ["dwh_dim_customers", "dwh_dim_products", "dwh_fact_sales"]


def assert_equal_to_a_full_refresh(warehouse) -> None:
    incremental = {model: warehouse.table(model) for model in MODELS}
    warehouse.dbt("run", "--full-refresh", "--select", *MODELS)
    for model in MODELS:
        assert warehouse.table(model) == incremental[model], model


def test_all_thirty_sales_are_there_and_the_best_seller_is_unknown(warehouse) -> None:
    assert warehouse.query("select count(*), sum(sale_quantity) from dwh.dwh_fact_sales") == [
        (30, 176)
    ]
    assert warehouse.value("select dwh.most_popular_product()") == "unknown product 103"
    assert (
        warehouse.value("select sum(sale_quantity) from dwh.dwh_fact_sales where product_id = 103")
        == 41
    )


def test_changed_deleted_and_invalid_sales_reach_the_fact(warehouse) -> None:
    warehouse.update("mrr_fact_sales", 1, qty=50)
    warehouse.delete("mrr_fact_sales", 2)
    warehouse.update("mrr_fact_sales", 3, qty=0)
    warehouse.insert("mrr_fact_sales", id=31, customerId=1, productId=1, qty=2)
    warehouse.build()
    assert warehouse.query(
        "select sale_id, sale_quantity from dwh.dwh_fact_sales"
        " where sale_id in (1, 2, 3, 31) order by 1"
    ) == [(1, 50), (31, 2)]
    assert warehouse.query("select sale_id, rejection_reason from stg.stg_rejected_sales") == [
        (3, "quantity is not above zero")
    ]
    assert_equal_to_a_full_refresh(warehouse)


def test_a_late_customer_takes_over_its_sales_from_the_unknown_one(warehouse) -> None:
    known = "select customer_key > 0 from dwh.dwh_fact_sales where customer_id = 21"
    assert warehouse.value(known) is False
    warehouse.insert("mrr_dim_customers", id=21, name="Late Lee", country="Peru")
    warehouse.build()
    assert warehouse.value(known) is True
    assert_equal_to_a_full_refresh(warehouse)


def test_a_customer_that_moved_keeps_old_sales_in_the_old_country(warehouse) -> None:
    warehouse.update("mrr_dim_customers", 1, country="Peru")
    warehouse.build()
    warehouse.insert("mrr_fact_sales", id=31, customerId=1, productId=1, qty=2)
    warehouse.build()
    assert warehouse.query(
        "select sales.sale_id, customers.country from dwh.dwh_fact_sales as sales"
        " join dwh.dwh_dim_customers as customers using (customer_key)"
        " where sales.customer_id = 1 order by 1"
    ) == [(1, "USA"), (31, "Peru")]


def test_a_deleted_customer_stays_and_opens_again_when_it_returns(warehouse) -> None:
    states = (
        "select is_current, is_deleted from dwh.dwh_dim_customers"
        " where customer_id = 1 order by valid_from"
    )
    warehouse.delete("mrr_dim_customers", 1)
    warehouse.build()
    assert warehouse.query(states) == [(False, True)]
    warehouse.insert("mrr_dim_customers", id=1, name="John Doe", country="USA")
    warehouse.build()
    assert warehouse.query(states) == [(False, False), (True, False)]
    assert_equal_to_a_full_refresh(warehouse)


def test_random_changes_end_where_a_full_refresh_ends(warehouse) -> None:
    """TIDEMARK_SEED gives the changes of an earlier test again."""
    seed = int(os.environ.get("TIDEMARK_SEED") or random.randrange(2**32))
    print(f"TIDEMARK_SEED={seed}")
    chance = random.Random(seed)
    for _ in range(3):
        for _ in range(60):
            change_something(warehouse, chance)
        warehouse.build()
    assert_equal_to_a_full_refresh(warehouse)


def change_something(warehouse, chance: random.Random) -> None:
    table, texts, top = chance.choice(
        [
            ("mrr_fact_sales", (), 40),
            ("mrr_dim_customers", ("name", "country"), 33),
            ("mrr_dim_products", ("name", "groupname"), 107),
        ]
    )
    key = chance.randint(1, top)
    row = {name: chance.choice(["A", " B ", "", None]) for name in texts} or {
        "customerId": chance.choice([None, *range(1, 34)]),
        "productId": chance.choice([*range(1, 21), *range(101, 107)]),
        "qty": chance.choice([None, -1, 0, 1, 2, 20]),
    }
    if not warehouse.query(f"select 1 from mrr.{table} where id = %s", key):
        warehouse.insert(table, id=key, **row)
    elif chance.random() < 0.4:
        warehouse.delete(table, key)
    else:
        warehouse.update(table, key, **row)


def test_a_failed_model_has_read_nothing(warehouse) -> None:
    before = {model: warehouse.position(model) for model in MODELS}
    warehouse.query("alter table dwh.dwh_fact_sales add constraint few check (sale_quantity < 100)")
    warehouse.update("mrr_fact_sales", 1, qty=100)
    warehouse.build(succeeds=False)
    assert warehouse.position("dwh_dim_customers") > before["dwh_dim_customers"]
    assert warehouse.position("dwh_fact_sales") == before["dwh_fact_sales"]
    warehouse.query("alter table dwh.dwh_fact_sales drop constraint few")
    warehouse.build()
    assert warehouse.value("select sale_quantity from dwh.dwh_fact_sales where sale_id = 1") == 100


def test_a_model_built_alone_does_not_skip_what_its_dimensions_have_not_read(warehouse) -> None:
    warehouse.insert("mrr_dim_customers", id=21, name="Late Lee", country="Peru")
    warehouse.dbt("run", "--select", "dwh_fact_sales")
    warehouse.build()
    assert warehouse.value("select customer_key > 0 from dwh.dwh_fact_sales where customer_id = 21")


def test_a_model_whose_position_is_lost_reads_everything(warehouse) -> None:
    warehouse.query("delete from mrr_state.model_position")
    warehouse.query("delete from mrr_state.change_log")
    warehouse.query("delete from mrr.mrr_fact_sales where id = 1")
    warehouse.query("update mrr.mrr_fact_sales set qty = 77 where id = 2")
    warehouse.query("update mrr.mrr_dim_products set name = 'new' where id = 1")
    warehouse.build()
    assert warehouse.query(
        "select sale_id, sale_quantity from dwh.dwh_fact_sales where sale_id < 3"
    ) == [(2, 77)]
    assert (
        warehouse.value(
            "select product_name from dwh.dwh_dim_products where product_id = 1 and is_current"
        )
        == "new"
    )
    assert_equal_to_a_full_refresh(warehouse)


def test_a_change_that_commits_late_is_not_passed_over(warehouse) -> None:
    """Its change id is lower than one that was committed before."""
    late = type(warehouse)(warehouse.address)
    late.connection.autocommit = False
    late.query("update mrr.mrr_fact_sales set qty = 60 where id = 1")
    late.query(
        "insert into mrr_state.change_log (table_name, row_key, operation, run_id)"
        """ values ('mrr_fact_sales', '{"id": 1}', 'update', 'late')"""
    )
    warehouse.update("mrr_fact_sales", 2, qty=70)
    build = warehouse.start_dbt("run", "--select", "+dwh_fact_sales")
    waiting = (
        "select true from pg_locks"
        " where relation = 'mrr_state.change_log'::regclass and not granted"
    )
    wait_for(lambda: warehouse.query(waiting), "the build waits for the change log")
    late.connection.commit()
    late.connection.close()
    output, _ = build.communicate(timeout=600)
    assert build.returncode == 0, output
    assert warehouse.query(
        "select sale_quantity from dwh.dwh_fact_sales where sale_id < 3 order by 1"
    ) == [(60,), (70,)]


def test_a_wider_type_is_followed_by_history_dimension_and_fact(warehouse) -> None:
    large = 3_000_000_000
    for table, view, column in [
        ("mrr_dim_customers", "customers", "id"),
        ("mrr_fact_sales", "sales", "customerId"),
        ("mrr_fact_sales", "sales", "qty"),
    ]:
        layer = table.removeprefix("mrr_")
        warehouse.query(
            f"drop view if exists stg.stg_{layer}, stg.stg_rejected_{view}, stg.stg_checked_{view}"
        )
        warehouse.query(f'alter table mrr.{table} alter column "{column}" type bigint')
    warehouse.insert("mrr_dim_customers", id=large, name="Large Lee", country="Peru")
    warehouse.insert("mrr_fact_sales", id=31, customerId=large, productId=1, qty=large)
    warehouse.dbt("build")
    assert warehouse.query(
        "select sales.sale_quantity, customers.customer_name from dwh.dwh_fact_sales as sales"
        " join dwh.dwh_dim_customers as customers using (customer_key) where sales.sale_id = 31"
    ) == [(large, "Large Lee")]


@pytest.mark.slow
def test_two_builds_at_once_leave_one_open_row_for_each_key(warehouse) -> None:
    warehouse.query(
        "insert into mrr.mrr_dim_customers (id, name)"
        " select id, 'n' from generate_series(100, 5099) as id"
    )
    log_all_customers(warehouse)
    warehouse.build()
    for turn in range(2):
        warehouse.query("update mrr.mrr_dim_customers set country = %s", f"country {turn}")
        log_all_customers(warehouse)
        # a view that both replace at once may fail one of them; it holds no rows
        kept = ("config.materialized:snapshot", "config.materialized:incremental")
        builds = [
            warehouse.start_dbt("build", "--exclude-resource-types", "test", "--select", *kept)
            for _ in range(2)
        ]
        outputs = [build.communicate(timeout=600)[0] for build in builds]
        assert [build.returncode for build in builds] == [0, 0], "\n".join(outputs)
    assert warehouse.query(
        "select count(*), count(distinct customer_id) from dwh.dwh_history_customers"
        " where dbt_valid_to is null"
    ) == [(5020, 5020)]
    assert warehouse.value("select count(*) from dwh.dwh_history_customers") == 3 * 5020
    warehouse.dbt("test")


def test_a_build_that_waited_opens_no_version_before_the_one_it_closes(warehouse) -> None:
    key = """hashtextextended('"warehouse"."dwh"."dwh_history_customers"', 0)"""
    warehouse.query(f"select pg_advisory_lock({key})")
    build = warehouse.start_dbt("snapshot")
    waiting = "select true from pg_locks where locktype = 'advisory' and not granted"
    wait_for(lambda: warehouse.query(waiting), "the second build waits for the first")
    warehouse.query("update dwh.dwh_history_customers set dbt_valid_from = clock_timestamp()")
    warehouse.update("mrr_dim_customers", 1, country="Peru")
    warehouse.query(f"select pg_advisory_unlock({key})")
    output, _ = build.communicate(timeout=600)
    assert build.returncode == 0, output
    assert warehouse.query(
        "select dbt_valid_to > dbt_valid_from from dwh.dwh_history_customers"
        " where customer_id = 1 and dbt_valid_to is not null"
    ) == [(True,)]


def test_history_of_the_mirrored_rows_becomes_one_of_the_staged_rows(warehouse) -> None:
    """As an earlier version kept it, which migration 11 changes."""
    warehouse.update("mrr_dim_customers", 2, country="Peru")
    warehouse.build()
    versions = warehouse.table("dwh_dim_customers")
    for statement in (
        "rename column customer_id to id",
        "rename column customer_name to name",
    ):
        warehouse.query(f"alter table dwh.dwh_history_customers {statement}")
    warehouse.query(
        "update dwh.dwh_history_customers set name = ' ' || name, country = country || ' '"
    )
    warehouse.query(
        "insert into dwh.dwh_history_customers (id, name, dbt_scd_id, dbt_valid_from)"
        " values (99, ' ', 'x', now())"
    )
    warehouse.query("delete from mrr_state.applied_step where name like '0011%'")
    assert upgrade(warehouse.connection) == ["0011_history_of_staged_rows"]
    warehouse.dbt("build", "--full-refresh")
    assert warehouse.table("dwh_dim_customers") == versions


def log_all_customers(warehouse) -> None:
    warehouse.query(
        "insert into mrr_state.change_log (table_name, row_key, operation, run_id)"
        " select 'mrr_dim_customers', jsonb_build_object('id', id), 'update', 'test'"
        " from mrr.mrr_dim_customers"
    )
