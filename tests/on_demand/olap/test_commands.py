"""A run that publishes, `verify` and `forget` on published tables, and clients of others."""

import os
import re
import signal
import sys
from pathlib import Path

import pytest

import embedded
from common.settings import Address, settings_of
from embedded.clickhouse import EXTRA
from operational.connection import connection as operational_connection
from operational.seed import seed
from publishing.client import Client
from tests.support.command_line import DEMO, CommandLine, check_told
from tests.support.held_command import HeldCommand
from tests.support.json_documents import read_document
from tests.support.servers import TEST_SERVERS, Query

sys.path.append(str(EXTRA))


@pytest.fixture
def published(
    servers: embedded.Servers, command_line: CommandLine, clickhouse: Address
) -> CommandLine:
    """The sales shop after a run that has published its star."""
    command_line.environment |= settings_of("CLICKHOUSE", clickhouse)
    done = command_line.run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "7 tables published" in done.stdout
    return command_line


def test_run_publishes_its_star(published: CommandLine, clickhouse: Address, query: Query) -> None:
    statement = (
        "select country, sum(sale_quantity) from {0}dwh_fact_sales as sales"
        " inner join {0}dwh_dim_customers as customers"
        " on sales.customer_key = customers.customer_key"
        " where country is not null group by country order by country"
    )
    with Client(clickhouse) as client:
        theirs = client.rows(statement.format(f"{clickhouse.database}."))
    assert [(country, int(count)) for country, count in theirs] == query(statement.format("dwh."))
    assert query("select bool_and(is_equal) from dwh.publication_verification") == [(True,)]
    done = published.run()
    assert "7 tables published, 0 rows sent" in done.stdout


def test_partial_run_publishes_what_is_built(
    servers: embedded.Servers, command_line: CommandLine, clickhouse: Address
) -> None:
    command_line.environment |= settings_of("CLICKHOUSE", clickhouse)
    done = command_line.run("--table", "mrr_dim_products")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 tables published" in done.stdout
    # without an option, what is missing is told
    done = command_line.run("publish")
    assert done.returncode == 1
    assert "dwh_fact_sales: is not in the warehouse\nHINT: Build it first" in done.stderr


def test_json_and_status_say_what_was_published(
    published: CommandLine, clickhouse: Address, query: Query
) -> None:
    query(
        "insert into mrr_state.change_log (table_name, row_key, operation, run_id)"
        """ values ('mrr_fact_sales', '{"id": 1}', 'update', 'r')"""
    )
    told = published.run("status").stdout
    place = f"{clickhouse.host}:{clickhouse.port}/{clickhouse.database}"
    assert f"published to clickhouse {place}  7 tables, " in told
    assert " UTC, all were equal, 1 of them behind, by 1 changes of the mirror" in told
    result = read_document(published.run("status", "--json"))["result"]
    found = {one["table"]: one for one in result["publications"]}
    assert {one["target"] for one in found.values()} == {place}
    assert [name for name, one in found.items() if one["is_behind"]] == ["mrr_fact_sales"]
    assert (found["mrr_fact_sales"]["changes"], found["dwh_fact_sales"]["changes"]) == (1, None)

    done = published.run("publish", "--json", "--quiet", "--compare")
    assert done.returncode == 0, done.stderr
    tables = {one["table"]: one for one in read_document(done)["result"]["tables"]}
    assert tables["mrr_fact_sales"]["how"] == "changed"
    assert tables["dwh_fact_sales"]["how"] == "compared"
    assert {one["is_equal"] for one in tables.values()} == {True}
    (rows,) = query("select count(*) from dwh.dwh_fact_sales")
    assert (tables["dwh_fact_sales"]["rows"], tables["dwh_fact_sales"]["sent_rows"]) == (*rows, 0)
    assert "nothing is waiting" in published.run("status").stdout

    with Client(clickhouse) as client:
        storage = client.value(
            f"select name from system.tables where database = '{clickhouse.database}'"
            " and match(name, '^_dwh_dim_products_[0-9a-f]{8}$')"
        )
        client.execute(f"truncate table {clickhouse.database}.{storage}")
    done = published.run("verify", "--json", "--quiet")
    document = read_document(done)
    assert document["exit_code"] == done.returncode == 1
    failed = [one for one in document["result"]["published"] if one["error"]]
    assert [one["table"] for one in failed] == ["dwh_dim_products"]
    assert failed[0]["error"] == document["errors"][0]
    assert "different: dwh_dim_products" in published.run("status").stdout


def test_history_has_every_version_there_too(
    published: CommandLine, servers: embedded.Servers, clickhouse: Address, query: Query
) -> None:
    with operational_connection(servers.operational_root) as root, root.cursor() as cursor:
        cursor.execute("select min(id), max(id) from sales.products")
        first, last = cursor.fetchone()
        cursor.execute("update sales.products set name = 'renamed' where id = %s", (first,))
        cursor.execute("delete from sales.products where id = %s", (last,))
        root.commit()
        done = published.run()
        cursor.execute("drop database sales")
        seed(servers, [DEMO])
    assert done.returncode in (0, 3), done.stdout + done.stderr
    statement = (
        "select product_id, count(*), count(dbt_valid_to) from {0}dwh_history_products"
        " group by product_id order by product_id"
    )
    ours = query(statement.format("dwh."))
    with Client(clickhouse) as client:
        theirs = client.rows(statement.format(f"{clickhouse.database}."))
    assert [tuple(map(int, row)) for row in theirs] == ours
    # the row that changed has an open version, and the one that was deleted has none
    assert {(first, 2, 1), (last, 1, 1)} <= set(ours)


def test_verify_and_forget_reach_published_tables(
    published: CommandLine, clickhouse: Address
) -> None:
    with Client(clickhouse) as client:
        database = clickhouse.database
        storage = client.value(
            f"select name from system.tables where database = '{database}'"
            " and match(name, '^_dwh_fact_sales_[0-9a-f]{8}$')"
        )
        client.execute(
            f"alter table {database}.{storage} update sale_quantity = 99 where sale_id = 3"
        )
        done = published.run("verify", "--quiet")
        assert done.returncode == 1
        assert "dwh_fact_sales: differs from ClickHouse in the partitions" in done.stderr
        assert published.run("verify", "--quiet", "--repair").returncode == 0
        assert published.run("verify", "--quiet").returncode == 0

        ((customer,),) = client.rows(
            f"select min(customer_id) from {database}.dwh_dim_customers where customer_id > 0"
        )
        done = published.run("forget", "--subject", f"sales_customer:{customer}")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "dwh_dim_customers in ClickHouse  1 rows deleted" in done.stdout
        tables = client.rows(
            f"select table, name from system.columns where database = '{database}'"
            " and name in ('customer_id', 'customerId')"
        )
        assert len(tables) > 2
        for table, column in tables:
            where = f"where `{column}` = {customer}"
            assert client.value(f"select count() from {database}.{table} {where}") == "0", table


def test_table_that_is_declared_no_more_is_named_and_dropped(
    published: CommandLine, clickhouse: Address, query: Query
) -> None:
    path = published.folder / "dbt_project/snapshots/sales/_sales__snapshots.yml"
    text = path.read_text("utf-8")
    path.write_text(re.sub(r"\n +publish: .*customer_id.*", "", text), "utf-8")
    query(
        "insert into mrr_state.publication (table_name, target_name, storage_name, is_loaded,"
        " read_to, rows_version) select 'dwh_dim_gone', target_name, '_dwh_dim_gone_1a2b3c4d',"
        " true, -1, 1 from mrr_state.publication limit 1"
    )
    done = published.run("publish")
    assert done.returncode == 0, done.stderr
    left = "dwh_dim_gone, dwh_history_customers\nHINT: `python run.py publish --drop TABLE`"
    assert left in done.stderr
    document = read_document(published.run("publish", "--json", "--quiet"))
    assert document["result"]["not_declared"] == ["dwh_dim_gone", "dwh_history_customers"]
    assert "not declared" in document["warnings"][0]["problem"]

    # the person is erased there too
    database = clickhouse.database
    with Client(clickhouse) as client:
        count = f"select count() from {database}.dwh_history_customers where customer_id = 2"
        assert client.value(count) == "1"
        done = published.run("forget", "--subject", "sales_customer:2")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "dwh_history_customers in ClickHouse  1 rows deleted" in done.stdout
        assert "dwh_dim_gone in ClickHouse is not published any more, and may" in done.stdout
        assert client.value(count) == "0"

        check_told(published.run("publish", "--drop", "dwh_fact_sales"), 2, "is declared to be")
        done = published.run("publish", "--drop", "dwh_history_customer")
        check_told(done, 2, "was not published before\nHINT: Did you mean dwh_history_customers?")
        for name in ("dwh_history_customers", "dwh_dim_gone"):
            done = published.run("publish", "--drop", name)
            assert (done.returncode, done.stdout) == (0, f"{name} was dropped from ClickHouse\n")
        tables = client.rows(f"select name from system.tables where database = '{database}'")
        assert not [name for (name,) in tables if "dwh_history_customers" in name]
    assert published.run("publish").stderr.count("not declared") == 0


def test_view_that_somebody_dropped_is_there_again(
    published: CommandLine, clickhouse: Address
) -> None:
    with Client(clickhouse) as client:
        client.execute(f"drop view {clickhouse.database}.dwh_fact_sales sync")
        assert published.run("publish", "--quiet").returncode == 0
        assert client.value(f"select count() > 0 from {clickhouse.database}.dwh_fact_sales") == 1


def test_second_publish_at_once_is_refused_and_a_run_goes_on(
    published: CommandLine, tmp_path: Path
) -> None:
    held = HeldCommand(published, tmp_path / "held", "proven", "publish", "--compare")
    check_told(published.run("publish"), 75, "another")
    done = published.run()
    assert done.returncode == 0
    assert "publish: another command publishes\nHINT: The next run publishes" in done.stderr
    assert held.let_go().returncode == 0


def test_clickhouse_that_goes_away_is_told_once_and_made_up_for(
    published: CommandLine, clickhouse: Address, query: Query, tmp_path: Path
) -> None:
    query("update mrr.mrr_fact_sales set qty = qty + 1 where id = 1")
    query(
        "insert into mrr_state.change_log (table_name, row_key, operation, run_id)"
        """ values ('mrr_fact_sales', '{"id": 1}', 'update', 'r')"""
    )
    held = HeldCommand(published, tmp_path / "held", "proven", "publish", "--compare")
    os.kill(int((TEST_SERVERS / "clickhouse" / "front.pid").read_text()), signal.SIGKILL)
    done = held.let_go()
    assert done.returncode == 1
    place = f"{clickhouse.host}:{clickhouse.port}/{clickhouse.database}"
    assert done.stdout.count(f"{place}: ") == 1, done.stdout
    assert "Traceback" not in done.stdout
    assert embedded.start_clickhouse(TEST_SERVERS).port == clickhouse.port
    assert published.run("publish").returncode == 0
    with Client(clickhouse) as client:
        ours = query("select sum(qty) from mrr.mrr_fact_sales")
        theirs = client.value(f"select sum(qty) from {clickhouse.database}.mrr_fact_sales")
        assert [(int(theirs),)] == ours


def test_client_of_others_works_with_the_embedded_server(clickhouse: Address) -> None:
    clickhouse_connect = pytest.importorskip("clickhouse_connect")
    client = clickhouse_connect.get_client(
        host=clickhouse.host,
        port=clickhouse.port,
        username=clickhouse.user,
        password=clickhouse.password,
    )
    client.command(f"create database {clickhouse.database}")
    table = f"{clickhouse.database}.things"
    client.command(f"create table {table} (a Int64, b String) engine = MergeTree order by a")
    assert client.insert(table, [[1, "ä"], [2, "b"]], column_names=["a", "b"]).written_rows == 2
    client.command(f"insert into {table} values (3, 'c')")
    client.command(f"insert into {table} select 4, 'd'")
    found = client.query(f"select b from {table} where a < {{most:Int32}} order by a", {"most": 4})
    assert found.result_rows == [("ä",), ("b",), ("c",)]
    with pytest.raises(clickhouse_connect.driver.exceptions.DatabaseError, match="code: 60"):
        client.query("select * from nothing")
    with pytest.raises(clickhouse_connect.driver.exceptions.DatabaseError, match="code: 516"):
        clickhouse_connect.get_client(
            host=clickhouse.host, port=clickhouse.port, username="tidemark", password="wrong"
        )
