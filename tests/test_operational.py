"""The application's databases on a real embedded server: sample data, and their workload."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pymysql
import pytest
import yaml

import embedded
from common.errors import ServerError, UsageError
from common.settings import PROJECT, Address
from embedded import Servers
from operational.seed import DOMAINS, sample_rows, seed
from operational.simulate import add_history, simulate

DEMO = ["sales"]
TABLES = ("customers", "products", "sales")
VALUES = {
    "customers": "id, name, country",
    "products": "id, name, groupname",
    "sales": "id, customerId, productId, qty",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("operational") / "servers"


@pytest.fixture(scope="module")
def running(home: Path) -> Iterator[Servers]:
    """Servers of their own."""
    yield embedded.start(home)
    embedded.stop(home)


@pytest.fixture
def servers(running: Servers) -> Servers:
    """Servers with the sample data and nothing else."""
    query(running.operational_root, "drop database if exists sales")
    seed(running, DEMO)
    return running


@pytest.fixture
def shop(running: Servers) -> Servers:
    """Servers with the sample of the shop."""
    query(running.operational_root, "drop database if exists ecommerce")
    seed(running, ["ecommerce"])
    return running


@contextmanager
def cursor_of(address: Address) -> Iterator[pymysql.cursors.Cursor]:
    connection = pymysql.connect(
        host=address.host,
        port=address.port,
        user=address.user,
        password=address.password,
        autocommit=True,
    )
    try:
        yield connection.cursor()
    finally:
        connection.close()


def query(address: Address, statement: str) -> list[tuple]:
    with cursor_of(address) as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


def rows(servers: Servers, columns: dict[str, str] = VALUES) -> dict[str, list[tuple]]:
    return {
        table: query(servers.operational, f"select {columns[table]} from sales.{table} order by id")
        for table in TABLES
    }


def test_sample_data_arrives_to_the_row(servers: Servers) -> None:
    found = rows(servers)
    assert {table: len(found[table]) for table in TABLES} == {
        "customers": 20,
        "products": 20,
        "sales": 30,
    }
    assert sum(qty for *_, qty in found["sales"]) == 176
    assert found["customers"][6] == (7, "Sophia Kim", "South Korea")
    assert {product for _, _, product, _ in found["sales"]} == set(range(101, 107))
    assert max(customer for _, customer, _, _ in found["sales"]) == 30


def test_seeding_again_changes_nothing(servers: Servers) -> None:
    query(servers.operational_admin, "delete from sales.sales where id > 3")
    query(servers.operational_admin, "update sales.customers set name = 'Somebody' where id = 1")
    everything = dict.fromkeys(TABLES, "*")
    before = rows(servers, everything)
    assert seed(servers, DEMO) == []
    assert rows(servers, everything) == before


def test_only_a_missing_table_is_made_and_filled(servers: Servers) -> None:
    query(servers.operational_admin, "drop table sales.products")
    query(servers.operational_admin, "delete from sales.sales")
    assert seed(servers, DEMO) == ["sales.products"]
    assert len(rows(servers)["products"]) == 20
    assert rows(servers)["sales"] == []


def test_leftovers_of_a_killed_seeding_do_not_matter(running: Servers) -> None:
    query(running.operational_root, "drop database if exists sales")
    query(running.operational_root, "create database sales_seed")
    query(running.operational_root, "create table sales_seed.sales (id int)")
    assert seed(running, DEMO) == ["sales.customers", "sales.products", "sales.sales"]
    assert ("sales_seed",) not in query(running.operational_root, "show databases")


def test_stamps_are_kept_by_the_server(servers: Servers) -> None:
    update = "update sales.sales set qty = qty + 1 where id = 1"
    query(servers.operational_admin, update)
    moved = query(
        servers.operational, "select id from sales.sales where updated_at > created_at order by id"
    )
    assert moved == [(1,)]


@pytest.mark.parametrize(
    "statement",
    [
        "insert into sales.sales (customerId, productId, qty) values (1, 1, 1)",
        "update sales.sales set qty = 0",
        "delete from sales.sales",
        "create table sales.mine (id int)",
        "drop table sales.sales",
        "create database mine",
        "lock tables sales.sales read",
        "select * from sales.sales into outfile 'x'",
        "select * from mysql.global_priv",
    ],
    ids=lambda statement: " ".join(statement.split()[:2]),
)
def test_reader_may_select_and_nothing_else(servers: Servers, statement: str) -> None:
    before = rows(servers)
    with pytest.raises(pymysql.OperationalError, match="denied"):
        query(servers.operational, statement)
    assert rows(servers) == before


def test_same_seed_gives_the_same_rows(servers: Servers) -> None:
    first = simulate(servers, 300, seed=11)
    after_first = rows(servers)
    query(servers.operational_root, "drop database sales")
    seed(servers, DEMO)
    assert simulate(servers, 300, seed=11) == first
    assert rows(servers) == after_first
    query(servers.operational_root, "drop database sales")
    seed(servers, DEMO)
    simulate(servers, 300, seed=12)
    assert rows(servers) != after_first


def test_seed_that_was_made_up_can_be_used_again(servers: Servers) -> None:
    result = simulate(servers, 40)
    after = rows(servers)
    query(servers.operational_root, "drop database sales")
    seed(servers, DEMO)
    assert simulate(servers, 40, seed=result.seed) == result
    assert rows(servers) == after


def test_every_operation_is_one_row_written(servers: Servers) -> None:
    before = sum(len(found) for found in rows(servers).values())
    result = simulate(servers, 400, seed=5)
    assert result.inserts + result.updates + result.deletes == 400
    assert min(result.inserts, result.updates, result.deletes, result.late) > 0
    after = sum(len(found) for found in rows(servers).values())
    assert after == before + result.inserts - result.deletes


def test_life_has_what_a_mirror_must_withstand(servers: Servers) -> None:
    seeded = rows(servers)
    simulate(servers, 800, seed=5)
    lived = rows(servers)
    earlier = "updated_at < current_timestamp(6) - interval 50 second"
    assert query(servers.operational, f"select count(*) from sales.sales where {earlier}")[0][0] > 5
    unstamped = query(
        servers.operational,
        f"select {VALUES['sales']} from sales.sales where updated_at = created_at and id <= 30",
    )
    assert set(unstamped) - set(seeded["sales"])
    assert any(21 <= identity <= 30 for identity, *_ in lived["customers"])
    assert any(101 <= identity <= 106 for identity, *_ in lived["products"])
    assert {row[0] for row in seeded["customers"]} - {row[0] for row in lived["customers"]}


def test_deleted_sale_may_return_with_its_id(servers: Servers) -> None:
    changed = "create trigger sales.{0} after {0} on sales.sales for each row insert into sales.log"
    query(servers.operational_admin, "create table sales.log (kind char(6), id int)")
    for kind, row in (("insert", "new"), ("delete", "old")):
        query(servers.operational_admin, f"{changed.format(kind)} values ('{kind}', {row}.id)")
    simulate(servers, 800, seed=5)
    twice = query(
        servers.operational,
        "select id from sales.log group by id"
        " having sum(kind = 'insert') = 2 and sum(kind = 'delete') >= 1",
    )
    assert twice


def test_any_server_but_the_embedded_one_is_refused(servers: Servers) -> None:
    production = Address("db.example.com", 3306, "root", "secret")
    elsewhere = replace(servers, operational_root=production, operational_admin=production)
    for write in (
        lambda: seed(elsewhere),
        lambda: simulate(elsewhere, 1),
        lambda: add_history(elsewhere, 1, domain="ecommerce"),
    ):
        with pytest.raises(ServerError, match=r"db\.example\.com.*not the embedded one"):
            write()


def test_domain_without_a_life_or_a_history_is_refused(servers: Servers) -> None:
    with pytest.raises(UsageError, match="domain nowhere: has no workload"):
        simulate(servers, 1, domain="nowhere")
    with pytest.raises(
        UsageError, match=r"(?s)domain sales: has no generator.*Name one of ecommerce"
    ):
        add_history(servers, 1, domain="sales")


def test_generated_sample_is_made_as_a_whole_or_not_at_all(shop: Servers) -> None:
    query(shop.operational_admin, "drop table ecommerce.order_items")
    assert seed(shop, ["ecommerce"]) == []
    query(shop.operational_root, "drop database ecommerce")
    simulate(shop, 1, domain="ecommerce")
    assert query(shop.operational, "select count(*) > 500 from ecommerce.order_items") == [(1,)]


def test_sample_of_the_shop_has_300_orders(shop: Servers) -> None:
    assert query(shop.operational, "select count(*) from ecommerce.orders") == [(300,)]


def test_history_is_added_and_tells_what_is_violated(shop: Servers) -> None:
    done = add_history(shop, 25, seed=4, domain="ecommerce")
    assert (done.rows["orders"], done.violations, done.seed) == (25, [], 4)
    assert query(shop.operational, "select count(*) from ecommerce.orders") == [(325,)]
    query(shop.operational_admin, "update ecommerce.orders set total_amount = 0 where order_id = 9")
    (violation,) = add_history(shop, 1, seed=4, domain="ecommerce").violations
    assert violation.startswith("items_sum_to_order: the items of an order sum to its amount")


def test_domain_folders_are_complete() -> None:
    schemas = sorted((Path(__file__).parent.parent / "operational").glob("*/schema.sql"))
    for schema in schemas:
        declared = set(re.findall(r"^create table (\w+)", schema.read_text("utf-8"), re.MULTILINE))
        filled = {path.stem for path in schema.parent.glob("*.csv")}
        is_generated = (schema.parent / "history.py").exists()
        assert filled == (set() if is_generated else declared), schema.parent.name


def test_script_of_compose_makes_every_domain(running: Servers, home: Path) -> None:
    """The script that the container of the operational server runs, on a real server."""
    script = yaml.safe_load((PROJECT / "compose.yaml").read_text("utf-8"))["configs"]["sample"]
    domains = sorted(path.parent.name for path in DOMAINS.glob("*/schema.sql"))
    for domain in domains:
        query(running.operational_root, f"drop database if exists {domain}")
    sample, secret = home / "sample", home / "reader"
    shutil.copytree(DOMAINS, sample)
    secret.write_text("secret", "utf-8")
    root = running.operational_root
    # the embedded server forbids what one of the image's does not
    query(root, "set global local_infile = 1")
    client = (
        f"mariadb --host={root.host} --port={root.port} --user={root.user}"
        f" --password={root.password}"
    )
    text = f'set -eu\ndocker_process_sql() {{ {client} "$@"; }}\n' + script["content"]
    text = text.replace("$$", "$").replace("/sample/", f"{sample}/")
    done = subprocess.run(
        ["bash", "-c", text.replace("/run/secrets/reader", str(secret))],
        env={"PATH": os.pathsep.join([*map(str, running.programs), os.environ["PATH"]])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for domain in domains:
        for table in (DOMAINS / domain).glob("*.csv"):
            found = query(root, f"select count(*) from {domain}.{table.stem}")
            assert found == [(len(sample_rows(domain, table.stem)),)]
    query(root, "set global local_infile = 0")
    query(root, "drop user tidemark_reader")
    for domain in domains:
        query(root, f"drop database {domain}")
