"""What is too old is deleted, and the warehouse is as if it had never been."""

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

import embedded
from operational.connection import connection as operational_connection
from privacy.declared import DeclaredRelation, Retention
from privacy.retention import count_old, purge
from tests.support.command_line import CommandLine, check_told, copy_of_project
from tests.support.servers import new_warehouse, querying
from warehouse.connection import connect

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
    with closing(connect(shop.addresses[1])) as reader, reader.cursor() as cursor:
        # whoever deletes, waits for this lock
        reader.autocommit = False
        cursor.execute(f"lock table dwh.{HISTORY} in share mode")
        done = shop.run("purge", "--dry-run", PGOPTIONS="-c lock_timeout=3s")
        reader.rollback()
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
        "select step, status, rows_affected, scope from dwh.run_log where process = 'purge'"
        " order by log_id limit 3"
    )
    assert rows == [
        ("purge", "success", 0, "--dry-run"),
        ("purge", "success", 2, f"--table {HISTORY}"),
        (f"dwh.{HISTORY}", "success", 2, None),
    ]
    assert aged("select count(*) from dwh.run_log where run_log::text ~ 'Walburga'") == [(0,)]


def test_table_without_a_retention_is_told(shop: CommandLine) -> None:
    check_told(
        shop.run("purge", "--table", "dwh_history_customer"),
        2,
        "--table dwh_history_customer: declares no retention",
        f"Did you mean {HISTORY}?",
    )


def test_relation_of_a_domain_that_is_switched_off_is_not_purged(
    shop: CommandLine, aged: Query
) -> None:
    """Nothing would be made again of what is left, and the dimension would keep the version."""
    told = f"dwh.{HISTORY}: not purged, since DEMO_DOMAINS switches its domain off"
    hint = "DEMO_DOMAINS=sales"
    check_told(shop.run("purge", "--table", HISTORY, DEMO_DOMAINS="off"), 2, told, hint)
    done = shop.run("purge", "--dry-run", DEMO_DOMAINS="off")
    assert (done.returncode, done.stdout) == (0, "")
    assert told in done.stderr and hint in done.stderr


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12"])
def test_age_does_not_depend_on_the_time_zone(shop: CommandLine, zone: str) -> None:
    """A time without a zone is one of UTC, wherever the session is."""
    one = DeclaredRelation("dwh", "landed_texts", "", {}, Retention(1, "landed_at"))
    with closing(connect(shop.addresses[1])) as connection, connection.cursor() as cursor:
        connection.autocommit = False
        cursor.execute("create table dwh.landed_texts (landed_at timestamp)")
        cursor.execute(
            "insert into dwh.landed_texts select now() at time zone 'UTC' - hours * interval '1h'"
            " from unnest(array[23, 25]) as hours"
        )
        cursor.execute(f"set time zone '{zone}'")
        (counted,) = count_old(cursor, [one])
        (purged,) = purge(cursor, "run", [one], {})
        assert (counted.rows, purged.rows) == (1, 1)
        cursor.execute("select count(*) from dwh.landed_texts")
        assert cursor.fetchall() == [(1,)]
        connection.rollback()
