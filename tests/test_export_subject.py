"""A person's data as one JSON document: from every layer, and from no other person."""

import json
import resource
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import embedded
from commands.export_subject import PersonNotWritten, write_document
from operational.connection import connection as operational_connection
from tests.support.command_line import CommandLine, check_told, copy_of_project
from tests.support.servers import new_warehouse, querying

Query = Callable[..., list[tuple]]
KEY, OTHER = 970021, 970022
LATER = (
    # the key of a rejected row need not come first
    "alter view stg.stg_rejected_sales rename to all_rejected_sales",
    "create view stg.stg_rejected_sales as select rejection_reason, customer_id, sale_id"
    " from stg.all_rejected_sales",
    "insert into mrr_state.change_log (table_name, row_key, operation, run_id) values"
    f" ('mrr_fact_sales', '{{\"id\": {KEY}0}}', 'update', 'r'),"
    f" ('mrr_fact_sales', '{{\"id\": {OTHER}0}}', 'update', 'r'),"
    " ('mrr_fact_sales', null, 'load', 'r')",
    f"insert into mrr_state.guard_candidate values ('mrr_dim_customers', '{{\"id\": {KEY}}}', 'r'),"
    f" ('mrr_dim_customers', '{{\"id\": {OTHER}}}', 'r')",
)
"""What is noted of rows of both, after the last run."""


@pytest.fixture(scope="module")
def shop(
    servers: embedded.Servers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CommandLine]:
    """A warehouse with a customer of two versions and two sales, one of which is not valid."""
    folder = copy_of_project(tmp_path_factory.mktemp("export") / "project")
    with (
        operational_connection(servers.operational_root, "sales") as connection,
        connection.cursor() as cursor,
        new_warehouse(servers) as address,
    ):
        for key, name in ((KEY, "Wilhelmina Ørsted"), (OTHER, "Somebody Else")):
            cursor.execute(
                f"insert into customers (id, name, country) values ({key}, '{name}', 'X')"
            )
            for number, quantity in enumerate((3, -1)):
                cursor.execute(
                    "insert into sales (id, customerId, productId, qty)"
                    f" values ({key}{number}, {key}, 1, {quantity})"
                )
        connection.commit()
        made = CommandLine(folder, servers.operational, address)
        assert made.run().returncode == 0
        cursor.execute(f"update customers set country = 'Y' where id = {KEY}")
        connection.commit()
        assert made.run().returncode == 0
        with querying(address) as query:
            for statement in LATER:
                query(statement)
        yield made
        cursor.execute(f"delete from sales where customerId in ({KEY}, {OTHER})")
        cursor.execute(f"delete from customers where id in ({KEY}, {OTHER})")
        connection.commit()


@pytest.fixture
def warehouse_query(shop: CommandLine) -> Iterator[Query]:
    with querying(shop.addresses[1]) as run:
        yield run


@pytest.fixture(scope="module")
def exported(shop: CommandLine) -> dict[str, Any]:
    done = shop.run("export-subject", "--subject", f"sales_customer:{KEY}")
    assert done.returncode == 0, done.stderr
    assert "sales_customer: " in done.stderr and "Wilhelmina" not in done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_document_has_the_rows_of_every_layer(exported: dict[str, Any]) -> None:
    assert (exported["subject"], exported["key"]) == ("sales_customer", str(KEY))
    rows = {one["relation"]: one["rows"] for one in exported["relations"]}
    assert {name: len(found) for name, found in rows.items()} == {
        "mrr_state.change_log": 1,
        "mrr_state.guard_candidate": 1,
        "mrr.mrr_dim_customers": 1,
        "mrr.mrr_fact_sales": 2,
        "stg.stg_rejected_sales": 1,
        "dwh.dwh_dim_customers": 2,
        "dwh.dwh_fact_sales": 1,
        "dwh.dwh_history_customers": 2,
        "dwh.dwh_mart_customer_sales": 1,
    }
    assert rows["mrr.mrr_dim_customers"][0]["name"] == "Wilhelmina Ørsted"
    assert {one["country"] for one in rows["dwh.dwh_history_customers"]} == {"X", "Y"}
    assert rows["stg.stg_rejected_sales"][0]["rejection_reason"]
    assert str(OTHER) not in json.dumps(exported)


def test_document_has_the_categories_of_the_register(exported: dict[str, Any]) -> None:
    personal = {one["relation"]: one["personal"] for one in exported["relations"]}
    assert personal["mrr.mrr_dim_customers"] == {"name": "identity"}
    assert personal["dwh.dwh_dim_customers"] == {"customer_name": "identity"}
    assert personal["dwh.dwh_fact_sales"] == {}


def test_log_has_a_count_and_nothing_of_the_person(
    exported: dict[str, Any], shop: CommandLine, warehouse_query: Query
) -> None:
    rows = warehouse_query(
        "select status, rows_affected, scope from dwh.run_log where process = 'export-subject'"
        " and status = 'success' order by log_id limit 1"
    )
    assert rows == [("success", 12, "sales_customer")]
    logged = warehouse_query(
        "select count(*) from dwh.run_log where run_log::text ~ %s", (f"Wilhelmina|{KEY}",)
    )
    assert logged == [(0,)]
    for path in (shop.folder / ".local" / "logs").iterdir():
        text = path.read_text(encoding="utf-8")
        assert "Wilhelmina" not in text and str(KEY) not in text


def test_file_can_be_read_by_its_owner_alone_and_is_not_overwritten(
    shop: CommandLine, exported: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "person.json"
    arguments = ("export-subject", "--subject", f"sales_customer:0{KEY}", "--output", str(file))
    done = shop.run(*arguments)
    assert (done.returncode, done.stdout) == (0, "")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text("utf-8"))["relations"] == exported["relations"]
    check_told(shop.run(*arguments), 2, f"--output {file}: exists already")
    nowhere = tmp_path / "none" / "person.json"
    told = f"--output {nowhere}: cannot be written: no such file or directory"
    check_told(shop.run(*arguments[:-1], str(nowhere)), 1, told)


def test_file_that_cannot_be_written_to_its_end_is_not_left(tmp_path: Path) -> None:
    """A limit of the process stands for a volume that is full."""
    file = tmp_path / "person.json"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(PersonNotWritten, match="cannot be written: file too large"):
            write_document(file, "x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not file.exists()


def test_person_who_is_not_there_is_told(shop: CommandLine) -> None:
    check_told(
        shop.run("export-subject", "--subject", "sales_customer:4711471"),
        1,
        "export-subject sales_customer: no row of the warehouse has this key",
    )
    check_told(shop.run("export-subject"), 2, "--subject: not given")
