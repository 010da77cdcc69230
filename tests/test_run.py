"""The main job from end to end, as a user starts it: `python run.py` and what it leaves behind."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import embedded
from common.settings import Address
from operational.connection import connection as operational_connection
from operational.seed import sample_rows, seed
from operational.simulate import simulate
from tests.support.command_line import DEMO, CommandLine, copy_of_project
from tests.support.servers import new_warehouse, querying
from warehouse.connection import run_lock
from warehouse.run_log import new_run_id

Query = Callable[..., list[tuple]]


@pytest.fixture(scope="module")
def sales(servers: embedded.Servers) -> Iterator[Callable[[str], list[tuple]]]:
    """SQL on the operational database `sales`, which has just been made, and is made anew after."""
    with operational_connection(servers.operational_root) as connection:
        cursor = connection.cursor()
        cursor.execute("drop database if exists sales")
        seed(servers, [DEMO])
        cursor.execute("use sales")

        def execute(sql: str) -> list[tuple]:
            cursor.execute(sql)
            rows = list(cursor.fetchall())
            connection.commit()
            return rows

        yield execute
        cursor.execute("drop database sales")
        seed(servers, [DEMO])


@pytest.fixture(scope="module")
def run_once(
    servers: embedded.Servers,
    address: Address,
    sales: Callable[[str], list[tuple]],
    tmp_path_factory: pytest.TempPathFactory,
) -> CommandLine:
    """A copy of the project, and its warehouse as the first run has left it."""
    folder = copy_of_project(tmp_path_factory.mktemp("run") / "project")
    made = CommandLine(folder, servers.operational, address)
    first = made.run()
    assert first.returncode == 0, first.stdout + first.stderr
    return made


@pytest.fixture(scope="module")
def first(servers: embedded.Servers, run_once: CommandLine, address: Address) -> Iterator[Query]:
    """SQL in a copy of that warehouse, which nobody changes."""
    with new_warehouse(servers, template=address) as copy, querying(copy) as run:
        yield run


@pytest.fixture(scope="module")
def tidemark(run_once: CommandLine, first: Query) -> CommandLine:
    """The copy of the project, whose warehouse is up to date: each test leaves it so."""
    return run_once


@pytest.fixture(scope="module")
def query(tidemark: CommandLine, address: Address) -> Iterator[Query]:
    with querying(address) as run:
        yield run


def check_mirror_equals_source(sales: Callable[[str], list[tuple]], query: Query) -> None:
    """Compare all three tables value by value, by SELECTs that share no code with the extract."""
    for table, mirrored in [
        ("sales", "mrr_fact_sales"),
        ("customers", "mrr_dim_customers"),
        ("products", "mrr_dim_products"),
    ]:
        source = sales(f"select * from {table} order by id")
        naive = [
            tuple(v.replace(tzinfo=None) if hasattr(v, "tzinfo") else v for v in row)
            for row in query(f"select * from mrr.{mirrored} order by id")
        ]
        assert naive == source


def test_every_sale_is_in_the_warehouse_with_its_quantity(first: Query) -> None:
    quantities = [int(row["qty"]) for row in sample_rows("sales", "sales")]
    assert len(quantities) == 30
    assert first("select count(*), sum(sale_quantity) from dwh.dwh_fact_sales") == [
        (30, sum(quantities))
    ]


def test_unknown_member_carries_what_has_no_dimension_row(first: Query) -> None:
    assert first(
        "select count(*) filter (where customer_key = -1),"
        " count(*) filter (where product_key = -1) from dwh.dwh_fact_sales"
    ) == [(10, 30)]


def test_most_popular_product_is_the_unknown_103(first: Query) -> None:
    assert first("select dwh.most_popular_product()") == [("unknown product 103",)]
    assert first("select sum(sale_quantity) from dwh.dwh_fact_sales where product_id = 103") == [
        (41,)
    ]


def test_every_table_and_every_node_of_dbt_is_in_the_run_log(first: Query) -> None:
    extracted = dict(first("select step, rows_affected from dwh.run_log where process = 'extract'"))
    assert (
        extracted.items()
        >= {
            "mrr_dim_customers": 20,
            "mrr_dim_products": 20,
            "mrr_fact_sales": 30,
        }.items()
    )
    logged = dict(first("select step, status from dwh.run_log where process = 'dbt'"))
    assert logged["dwh_fact_sales"] == "success"
    assert logged["dwh_history_customers"] == "success"
    assert set(logged.values()) == {"success"}
    assert first("select status, rows_affected from dwh.run_log where process = 'run'") == [
        ("success", sum(extracted.values()))
    ]


def test_dashboard_is_written_where_something_has_changed(
    tidemark: CommandLine, tmp_path: Path
) -> None:
    written = tidemark.folder / "out" / "dashboard.html"
    first = written.read_text(encoding="utf-8")
    assert "Pieces sold: 176" in first
    assert "3 of 3 tables equal to their source" in first
    tidemark.run()
    assert written.read_text(encoding="utf-8") == first
    elsewhere = tmp_path / "reports" / "dashboard.html"
    done = tidemark.run("dashboard", "--output", str(elsewhere))
    assert (done.returncode, done.stdout) == (0, f"{elsewhere}\n"), done.stderr
    assert "Pieces sold: 176" in elsewhere.read_text(encoding="utf-8")


def test_ids_of_runs_sort_by_time_within_a_second() -> None:
    made = []
    for _ in range(50):
        made.append(new_run_id())
        time.sleep(0.00001)
    assert made == sorted(set(made))
    assert {len(run_id) for run_id in made} == {len("20260131T235959-1a2b3c")}


def test_run_without_changes_applies_nothing(tidemark: CommandLine) -> None:
    again = tidemark.run()
    assert again.returncode == 0, again.stderr
    assert " 0 rows applied" in again.stdout


def test_five_hundred_operations_later_mirror_and_warehouse_equal_the_source(
    tidemark: CommandLine,
    servers: embedded.Servers,
    sales: Callable[[str], list[tuple]],
    query: Query,
) -> None:
    simulate(servers, 500, seed=7)
    after = tidemark.run()
    assert after.returncode == 0, after.stdout + after.stderr
    check_mirror_equals_source(sales, query)
    assert query(
        "select sale_id, customer_id, product_id, sale_quantity from dwh.dwh_fact_sales order by 1"
    ) == list(sales("select id, customerId, productId, qty from sales order by id"))
    assert " 0 rows applied" in tidemark.run().stdout
    assert tidemark.run("verify").returncode == 0


def test_verify_tests_every_row_of_the_history(tidemark: CommandLine, query: Query) -> None:
    damage = "update dwh.dwh_history_products set product_name = product_name || %s"
    query(f"{damage} where product_id = 1 and dbt_valid_to is null", ("!",))
    found = tidemark.run("verify", "--table", "mrr_dim_products")
    query("update dwh.dwh_history_products set product_name = rtrim(product_name, '!')")
    assert found.returncode == 1
    assert "open_rows_equal_relation_dwh_history_products_ref_stg_dim_products_: fail" in (
        found.stderr
    )
    assert tidemark.run("verify", "--table", "mrr_dim_products").returncode == 0


def test_customer_who_moves_has_two_periods_and_a_deleted_one_is_closed(
    tidemark: CommandLine, sales: Callable[[str], list[tuple]], query: Query
) -> None:
    sales(
        "insert into customers (id, name, country) values (901, 'Moves', 'UK'), (902, 'Goes', 'UK')"
    )
    assert tidemark.run("--domain", "sales").returncode == 0
    sales("update customers set country = 'Spain' where id = 901")
    sales("delete from customers where id = 902")
    assert tidemark.run("--domain", "sales").returncode == 0
    assert query(
        "select customer_id, country, dbt_valid_to is null from dwh.dwh_history_customers"
        " where customer_id in (901, 902) order by customer_id, dbt_valid_from"
    ) == [(901, "UK", False), (901, "Spain", True), (902, "UK", False)]
    assert query(
        "select customer_id, country, is_current, is_deleted from dwh.dwh_dim_customers"
        " where customer_id in (901, 902) order by customer_id, valid_from"
    ) == [(901, "UK", False, False), (901, "Spain", True, False), (902, "UK", False, True)]


def test_broken_model_keeps_the_mark_of_its_table_alone(
    tidemark: CommandLine, sales: Callable[[str], list[tuple]], query: Query
) -> None:
    def marks() -> dict:
        return dict(query("select table_name, read_at from dwh.high_water_mark"))

    before = marks()
    path = tidemark.folder / "dbt_project/models/stg/sales/stg_broken_products.sql"
    broken_model = "select 'it''s $$ 50%' || (1 / (product_id - product_id)) as broken from "
    path.write_text(
        "{{ config(materialized='table', contract={'enforced': false}) }}"
        + broken_model
        + "{{ ref('stg_dim_products') }}",
        encoding="utf-8",
    )
    sales("insert into products (id, name, groupname) values (801, 'Late', 'Group X')")
    broken = tidemark.run("--domain", "sales")
    assert broken.returncode == 1
    assert "stg_broken_products: error:" in broken.stderr
    assert "division by zero" in broken.stderr
    assert "Traceback" not in broken.stdout + broken.stderr
    ((status, message),) = query(
        "select status, error_message from dwh.run_log"
        " where process = 'dbt' and step = 'stg_broken_products'"
    )
    assert status == "error"
    assert "division by zero" in message
    held = marks()
    assert held["mrr_dim_products"] == before["mrr_dim_products"]
    assert held["mrr_dim_customers"] > before["mrr_dim_customers"]
    assert held["mrr_fact_sales"] > before["mrr_fact_sales"]
    path.unlink()
    mended = tidemark.run("--domain", "sales")
    assert mended.returncode == 0, mended.stdout + mended.stderr
    assert marks()["mrr_dim_products"] > held["mrr_dim_customers"]
    assert query("select product_name from dwh.dwh_dim_products where product_id = 801") == [
        ("Late",)
    ]


def test_second_run_at_once_is_turned_away(tidemark: CommandLine, address: Address) -> None:
    with run_lock(address):
        second = tidemark.run()
    assert second.returncode == 75
    assert "another run holds the lock\nHINT: " in second.stderr


def test_run_that_was_killed_is_marked_by_the_next(tidemark: CommandLine, query: Query) -> None:
    query(
        "insert into dwh.run_log (run_id, process, step, status, started_at, finished_at)"
        " values ('dead', 'run', 'run', 'running', now() - interval '3 h', null),"
        " ('dead', 'extract', 'a', 'success', now() - interval '3 h', now() - interval '2 h'),"
        " ('dead', 'extract', 'b', 'success', now() - interval '3 h', now() - interval '1 h')"
    )
    assert tidemark.run("--table", "mrr_dim_products").returncode == 0
    # nobody knows when it was killed: it ends with the last of its steps
    assert query(
        "select status, error_message, round(extract(epoch from finished_at - started_at))"
        " from dwh.run_log where run_id = 'dead' and process = 'run'"
    ) == [("error", "ended without closing its row", 2 * 3600)]


def test_failed_data_test_is_exit_code_3(
    tidemark: CommandLine, sales: Callable[[str], list[tuple]]
) -> None:
    path = tidemark.folder / "dbt_project/tests/assert_it_fails.sql"
    path.write_text("select 1 as row from {{ source('sales', 'mrr_fact_sales') }}", "utf-8")
    for _ in range(2):
        failed = tidemark.run("--table", "mrr_fact_sales")
        assert failed.returncode == 3, failed.stdout + failed.stderr
        assert "assert_it_fails: fail:" in failed.stderr
    path.unlink()
    assert tidemark.run().returncode == 0


BUILDS = "select step, error_message from dwh.run_log where process = 'build' order by log_id"


def test_run_without_changes_starts_no_dbt(tidemark: CommandLine, query: Query) -> None:
    tidemark.run()
    quiet = tidemark.run()
    assert quiet.returncode == 0, quiet.stderr
    assert re.search(r"dbt: unchanged: \d+ nodes, last built at .* UTC  ", quiet.stdout)
    run_id = re.search(r"^run (\S+)", quiet.stdout, re.MULTILINE)[1]
    assert query("select process from dwh.run_log where run_id = %s order by 1", (run_id,)) == [
        ("build",),
        *[("extract",)] * 3,
        ("run",),
    ]
    step, message = query(BUILDS)[-1]
    assert (step, f"unchanged: {message}" in quiet.stdout) == ("unchanged", True)
    assert f"unchanged: {message}" in tidemark.run("status").stdout


def test_changed_names_what_the_next_run_builds(tidemark: CommandLine, query: Query) -> None:
    assert tidemark.run("changed").stdout == ""
    query("drop view dwh.dwh_mart_daily_sales")
    named = tidemark.run("changed").stdout.split()
    assert "dwh_mart_daily_sales" in named
    assert "dwh_fact_sales" not in named
    assert tidemark.dbt("build", "--select", *named).returncode == 0
    assert tidemark.run("changed").stdout == ""
    assert " unchanged: " in tidemark.run().stdout


@pytest.mark.slow
def test_everything_is_built_where_that_is_asked_for(tidemark: CommandLine, query: Query) -> None:
    built = tidemark.run("--build", "all")
    assert built.returncode == 0, built.stderr
    assert " unchanged: " not in built.stdout
    assert query(BUILDS)[-1] == ("all", None)
    assert " unchanged: " in tidemark.run(BUILD_ALL="daily").stdout
    query("update dwh.run_log set started_at = started_at - interval '1 day' where step = 'all'")
    assert " unchanged: " not in tidemark.run(BUILD_ALL="daily").stdout
    assert query(BUILDS)[-1] == ("all", None)


def test_node_that_dbt_does_not_select_by_its_name_is_an_error(
    tidemark: CommandLine, query: Query
) -> None:
    strange = tidemark.folder / "dbt_project" / "tests" / "sales" / "assert_[ab].sql"
    strange.write_text("select * from {{ ref('dwh_fact_sales') }} where false", encoding="utf-8")
    try:
        done = tidemark.run()
        assert done.returncode == 1
        assert "dbt: it does not select assert_[ab] by its name\nHINT: " in done.stderr
    finally:
        strange.unlink()
    assert tidemark.run().returncode == 0


def test_dbt_by_hand_counts(tidemark: CommandLine, query: Query) -> None:
    query("update dwh.dwh_fact_sales set sale_quantity = 0")
    query("select pg_stat_force_next_flush()")
    by_hand = tidemark.dbt("build")
    assert by_hand.returncode == 0, by_hand.stdout
    assert query("select count(*) from dwh.dwh_fact_sales where sale_quantity = 0") == [(0,)]
    assert " dbt: unchanged: " in tidemark.run().stdout


def test_full_refresh_reads_every_row_and_changes_nothing(tidemark: CommandLine) -> None:
    refreshed = tidemark.run("--full-refresh", "--table", "mrr_dim_customers")
    assert refreshed.returncode == 0, refreshed.stderr
    assert " 0 rows applied" in refreshed.stdout


def test_analysts_use_dbt_from_any_folder_and_leave_nothing_there(
    tidemark: CommandLine, tmp_path: Path
) -> None:
    for arguments in (["build"], ["test"], ["docs", "generate"]):
        done = tidemark.dbt(*arguments, folder=tmp_path)
        assert done.returncode == 0, done.stdout
    assert not list(tmp_path.iterdir())


def test_dbt_without_the_environment_names_the_missing_variable(tidemark: CommandLine) -> None:
    without = CommandLine(tidemark.folder, *tidemark.addresses)
    del without.environment["WAREHOUSE_HOST"]
    done = without.dbt("build")
    assert done.returncode == 2
    assert "Env var required but not provided: 'WAREHOUSE_HOST'" in done.stdout
