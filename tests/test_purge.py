"""What is too old is deleted, and the warehouse is as if it had never been."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import embedded
from common.errors import SettingError
from operational.connection import connection as operational_connection
from privacy import personal_data
from privacy.retention import relations_to_purge
from tests.support.command_line import CommandLine, check_told, copy_of_project
from tests.support.servers import new_warehouse, querying

Query = Callable[..., list[tuple]]
KEYS = (970031, 970032)
HISTORY = "dwh_history_customers"
DIMENSIONS = (
    "select customer_id, customer_key, country, is_current, is_deleted, valid_from, valid_to"
    f" from dwh.dwh_dim_customers where customer_id in {KEYS} order by customer_id, valid_from"
)
FACTS = (
    f"select sale_id, customer_key from dwh.dwh_fact_sales where customer_id in {KEYS} order by 1"
)


@pytest.fixture(scope="module")
def shop(
    servers: embedded.Servers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CommandLine]:
    """A warehouse with a customer of two versions, and one who has left; each has a sale."""
    folder = copy_of_project(tmp_path_factory.mktemp("purge") / "project")
    with (
        operational_connection(servers.operational_root, "sales") as connection,
        connection.cursor() as cursor,
        new_warehouse(servers) as address,
    ):
        for key in KEYS:
            cursor.execute(
                f"insert into customers (id, name, country) values ({key}, 'Walburga Q', 'X')"
            )
            cursor.execute(
                "insert into sales (id, customerId, productId, qty, created_at)"
                f" values ({key}1, {key}, 1, 3, '2020-02-03')"
            )
        connection.commit()
        made = CommandLine(folder, servers.operational, address)
        assert made.run().returncode == 0
        cursor.execute(f"update customers set country = 'Y' where id = {KEYS[0]}")
        cursor.execute(f"delete from customers where id = {KEYS[1]}")
        connection.commit()
        assert made.run().returncode == 0
        yield made
        cursor.execute(f"delete from sales where customerId in {KEYS}")
        cursor.execute(f"delete from customers where id in {KEYS}")
        connection.commit()


@pytest.fixture(scope="module")
def warehouse_query(shop: CommandLine) -> Iterator[Query]:
    with querying(shop.addresses[1]) as run:
        yield run


@pytest.fixture(scope="module")
def aged(shop: CommandLine, warehouse_query: Query) -> Query:
    """The versions that are over are four years old, in the history and the dimension."""
    for table, prefix in ((HISTORY, "dbt_"), ("dwh_dim_customers", "")):
        warehouse_query(
            f"update dwh.{table} set {prefix}valid_to = {prefix}valid_to - interval '4 years',"
            f" {prefix}valid_from = {prefix}valid_from - interval '5 years'"
            f" where {prefix}valid_to is not null"
        )
    assert len(warehouse_query(DIMENSIONS)) == 3
    return warehouse_query


def test_dry_run_counts_and_changes_nothing(shop: CommandLine, aged: Query) -> None:
    before = aged(f"select * from dwh.{HISTORY} order by dbt_scd_id")
    changes = aged("select count(*) from mrr_state.change_log")
    done = shop.run("purge", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert f"dwh.{HISTORY}  2 rows older than 1095 days would be deleted" in done.stdout
    assert aged(f"select * from dwh.{HISTORY} order by dbt_scd_id") == before
    assert aged("select count(*) from mrr_state.change_log") == changes


def test_versions_that_are_too_old_are_deleted_and_facts_follow(
    shop: CommandLine, aged: Query
) -> None:
    done = shop.run("purge", "--table", HISTORY)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"dwh.{HISTORY}  2 rows older than 1095 days deleted" in done.stdout
    left = aged(DIMENSIONS)
    assert [(row[0], row[2], row[3]) for row in left] == [(KEYS[0], "Y", True)]
    # the sale of the deleted version is that of the first one that is left; the other of nobody
    assert aged(FACTS) == [(int(f"{KEYS[0]}1"), left[0][1]), (int(f"{KEYS[1]}1"), -1)]
    assert "0 rows" in shop.run("purge", "--dry-run").stdout


@pytest.mark.slow
def test_full_refresh_makes_the_same_of_what_is_left(shop: CommandLine, aged: Query) -> None:
    before = [aged(DIMENSIONS), aged(FACTS)]
    done = shop.dbt("build", "--full-refresh", "--select", "dwh_dim_customers+")
    assert done.returncode == 0, done.stdout
    assert [aged(DIMENSIONS), aged(FACTS)] == before


def test_log_has_counts_and_no_person(shop: CommandLine, aged: Query) -> None:
    rows = aged(
        "select status, rows_affected, scope from dwh.run_log where process = 'purge'"
        " order by log_id limit 2"
    )
    assert rows == [("success", 0, "--dry-run"), ("success", 2, f"--table {HISTORY}")]
    assert aged("select count(*) from dwh.run_log where run_log::text ~ 'Walburga'") == [(0,)]


def test_table_without_a_retention_is_told(shop: CommandLine) -> None:
    check_told(
        shop.run("purge", "--table", "dwh_history_customer"),
        2,
        "--table dwh_history_customer: declares no retention",
        f"Did you mean {HISTORY}?",
    )


@pytest.mark.parametrize(
    ("path", "old", "new", "told"),
    [
        (
            "snapshots/sales/_sales__snapshots.yml",
            "days: 1095",
            "days: 0",
            "dwh.dwh_history_customers: its retention has 0 days",
        ),
        (
            "models/dwh/sales/_dwh_sales__models.yml",
            "person: {subject",
            "retention: {days: 1, by: created_at}\n        person: {subject",
            "dwh.dwh_fact_sales: has a retention, and is built or mirrored",
        ),
    ],
)
def test_wrong_retention_is_refused(
    shop: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    path: str,
    old: str,
    new: str,
    told: str,
) -> None:
    project = copy_of_project(tmp_path / "project") / "dbt_project"
    text = (project / path).read_text(encoding="utf-8")
    assert old in text
    (project / path).write_text(text.replace(old, new, 1), encoding="utf-8")
    monkeypatch.setattr(personal_data, "DBT_PROJECT", project)
    with pytest.raises(SettingError) as raised:
        relations_to_purge()
    assert str(raised.value).startswith(told) and "HINT: " in str(raised.value)
