"""A run in parts: one reads, another builds `stg`, another `dwh`, as a scheduler starts them."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

import embedded
from alerts import AlertSettings, Scope
from alerts.rules import find
from common.settings import Address
from extract.declarations import declared_tables
from operational.connection import connection as operational_connection
from tests.support.command_line import DEMO, CommandLine, check_told, copy_of_project
from tests.support.held_command import HeldCommand
from tests.support.json_documents import read_document
from tests.support.servers import Query, querying
from tests.support.waiting import wait_for
from warehouse.connection import connect, run_lock, run_locks, transaction
from warehouse.graph import Graph, GraphNode

TABLES = ["mrr_dim_customers", "mrr_dim_products", "mrr_fact_sales"]
RELATIONS = (
    "select schemaname || '.' || viewname from pg_views where schemaname in ('stg', 'dwh')"
    " union all select schemaname || '.' || tablename from pg_tables"
    " where schemaname in ('stg', 'dwh') and tablename like 'dwh\\_%'"
)
READ = "select table_name from mrr_state.read_mark order by 1"
READ_AT = "select table_name, read_at from mrr_state.read_mark order by 1"
REACHED_AT = "select table_name, read_at from dwh.high_water_mark order by 1"
WAITING_FOR_CHANGES = (
    "select locks.pid from pg_locks as locks join pg_stat_activity using (pid)"
    " where locks.relation = 'mrr_state.change_log'::regclass and not locks.granted"
    " and application_name = 'dbt'"
)
REACHED = "select table_name from dwh.high_water_mark order by 1"


@pytest.fixture(scope="module")
def query(address: Address) -> Iterator[Query]:
    with querying(address) as run:
        yield run


@pytest.fixture(scope="module")
def tidemark(
    servers: embedded.Servers, address: Address, tmp_path_factory: pytest.TempPathFactory
) -> CommandLine:
    """A copy of the project on a warehouse in which the tests here follow one another."""
    folder = copy_of_project(tmp_path_factory.mktemp("parts") / "project")
    return CommandLine(folder, servers.operational, address)


@pytest.fixture
def sales(servers: embedded.Servers) -> Iterator[Callable[[str], None]]:
    """SQL on the operational database `sales`; the customer 901 is removed after it."""
    with operational_connection(servers.operational_root) as connection:

        def execute(sql: str) -> None:
            with connection.cursor() as cursor:
                cursor.execute(f"use {DEMO}")
                cursor.execute(sql)
            connection.commit()

        yield execute
        execute("delete from customers where id = 901")


def relations(query: Query) -> set[str]:
    return {name for (name,) in query(RELATIONS)}


def test_part_until_mrr_reads_and_builds_nothing(tidemark: CommandLine, query: Query) -> None:
    read = tidemark.run("--until", "mrr", "--table", "mrr_fact_sales")
    assert read.returncode == 0, read.stderr
    assert "dbt: nothing built" in read.stdout
    assert query("select count(*) from mrr.mrr_fact_sales") == [(30,)]
    assert relations(query) == set()
    assert (query(READ), query(REACHED)) == ([("mrr_fact_sales",)], [])


def test_part_from_stg_builds_nothing_on_tables_that_nobody_has_read(
    tidemark: CommandLine, query: Query, address: Address
) -> None:
    built = tidemark.run("--from", "stg")
    check_told(built, 1, "mrr_dim_customers: not mirrored yet", "mrr_dim_products: not mirrored")
    assert "stg.stg_fact_sales" in relations(query)
    assert "dwh.dwh_fact_sales" not in relations(query)
    assert query(REACHED) == []
    assert "mrr_dim_customers" in built.stdout
    logged = query(
        "select step, status, split_part(error_message, chr(10), 1) from dwh.run_log"
        " where process = 'extract' and status <> 'success' order by step"
    )
    missing = ["mrr_dim_customers", "mrr_dim_products"]
    assert logged == [(name, "error", f"{name}: not mirrored yet") for name in missing]
    with closing(connect(address)) as connection, connection.cursor() as cursor:
        found = find(cursor, Scope(dict.fromkeys(TABLES, DEMO)), AlertSettings(no_backup=None))
    assert [one.key for one in found] == [("table", name) for name in missing]


def test_part_until_stg_leaves_dwh_alone(tidemark: CommandLine, query: Query) -> None:
    before = relations(query)
    assert "stg.stg_dim_customers" not in before
    staged = tidemark.run("--until", "stg")
    assert staged.returncode == 0, staged.stderr
    assert "stg.stg_dim_customers" in relations(query)
    assert {name for name in relations(query) - before if name.startswith("dwh.")} == set()
    assert [name for (name,) in query(READ)] == TABLES
    assert query(REACHED) == []


def test_part_from_stg_needs_no_source_and_lets_the_marks_advance(
    tidemark: CommandLine, query: Query, free_port: int
) -> None:
    noted = query("select table_name, read_at, run_id from mrr_state.read_mark order by 1")
    built = tidemark.run("--from", "stg", OPERATIONAL_PORT=str(free_port))
    assert built.returncode == 0, built.stderr
    assert query("select count(*) from dwh.dwh_fact_sales") == [(30,)]
    reached = query("select table_name, read_at, run_id from dwh.high_water_mark order by 1")
    assert [row[:2] for row in reached] == [row[:2] for row in noted]
    assert {row[2] for row in reached}.isdisjoint({row[2] for row in noted})
    assert query(READ) == []
    assert tidemark.run("changed").stdout == ""


def test_mark_stays_until_dwh_has_the_change(
    tidemark: CommandLine, query: Query, sales: Callable[[str], None]
) -> None:
    before = query("select read_at from dwh.high_water_mark order by table_name")
    known = "select count(*) from dwh.dwh_dim_customers where customer_id = 901"
    sales("insert into customers (id, name, country) values (901, 'New', 'UK')")
    for part in (["--until", "mrr"], ["--from", "stg", "--until", "stg"]):
        done = tidemark.run(*part)
        assert done.returncode == 0, done.stderr
        # what reads customers and sales has yet to be built; nothing reads the products anew
        assert query(READ)[0] == ("mrr_dim_customers",)
        assert query("select read_at from dwh.high_water_mark order by table_name")[0] == before[0]
        assert query(known) == [(0,)]
    assert tidemark.run("--from", "stg", "--domain", DEMO).returncode == 0
    assert query(known) == [(1,)]
    assert query(READ) == []
    assert query("select read_at from dwh.high_water_mark order by table_name")[0] > before[0]
    assert " 0 rows applied" in tidemark.run().stdout


def test_mark_does_not_pass_what_a_build_has_seen(
    tidemark: CommandLine, query: Query, sales: Callable[[str], None], tmp_path: Path
) -> None:
    """Another run reads when the build has noted how far the tables were read."""
    sales("insert into customers (id, name, country) values (901, 'New', 'UK')")
    assert tidemark.run("--until", "mrr").returncode == 0
    first = query(READ_AT)
    build = HeldCommand(tidemark, tmp_path / "held", "marks noted", "--from", "stg")
    sales("update customers set name = 'Renamed' where id = 901")
    assert tidemark.run("--until", "mrr").returncode == 0
    later = query(READ_AT)
    assert later != first
    built = build.let_go()
    assert built.returncode == 0, built.stdout
    assert f"marks advanced: {len(TABLES)}" in built.stdout
    assert query(REACHED_AT) == first
    assert query(READ_AT) == later
    assert tidemark.run("--from", "stg").returncode == 0
    assert (query(REACHED_AT), query(READ_AT)) == (later, [])


def test_mark_does_not_move_for_a_read_that_was_killed_before_it_was_noted(
    tidemark: CommandLine, query: Query, sales: Callable[[str], None], tmp_path: Path
) -> None:
    before = query(REACHED_AT)
    sales("insert into customers (id, name, country) values (901, 'Killed', 'UK')")
    read = ("--until", "mrr", "--table", "mrr_dim_customers")
    held = HeldCommand(tidemark, tmp_path / "held", "applied", *read)
    held.process.kill()
    held.end()
    assert query("select count(*) from mrr.mrr_dim_customers where id = 901") == [(1,)]
    assert tidemark.run("--from", "stg").returncode == 0
    known = "select count(*) from dwh.dwh_dim_customers where customer_name = 'Killed'"
    assert query(known) == [(1,)]
    assert (query(REACHED_AT), query(READ_AT)) == (before, [])
    assert " 0 rows applied" in tidemark.run(*read).stdout
    document = read_document(tidemark.run("--from", "stg", "--json", "--quiet"))["result"]
    assert document["advanced_tables"] == ["mrr_dim_customers"]
    assert (document["scope"], document["tables"]) == ("--from stg", [])


def test_part_that_builds_waits_for_changes_that_are_not_committed(
    tidemark: CommandLine,
    query: Query,
    address: Address,
    sales: Callable[[str], None],
) -> None:
    sales("insert into customers (id, name, country) values (901, 'New', 'UK')")
    assert tidemark.run("--until", "mrr").returncode == 0
    with closing(connect(address)) as reader, ThreadPoolExecutor() as pool:
        with transaction(reader), reader.cursor() as cursor:
            cursor.execute("lock table mrr_state.change_log in row exclusive mode")
            build = pool.submit(tidemark.run, "--from", "stg")
            wait_for(lambda: query(WAITING_FOR_CHANGES) or build.done(), "a model that waits")
            assert not build.done(), build.result().stdout
        built = build.result()
    assert built.returncode == 0, built.stderr
    assert query(READ) == []


def test_part_that_reads_deletes_what_is_old(tidemark: CommandLine, query: Query) -> None:
    old = "insert into dwh.run_log (run_id, process, step, status, started_at) values {}"
    steps = ", ".join(
        f"('old', 'extract', 'mrr_fact_sales', 'success', now() - interval '{years} years')"
        for years in (3, 4)
    )
    query(old.format(steps))
    query("update dwh.high_water_mark set is_mirrored = false")
    assert tidemark.run("--until", "mrr").returncode == 0
    assert query("select count(*) from dwh.run_log where run_id = 'old'") == [(0,)]
    assert query("select count(*) from dwh.high_water_mark where not is_mirrored") == [(0,)]


def test_everything_is_built_once_a_day_in_each_scope(tidemark: CommandLine, query: Query) -> None:
    query("delete from dwh.run_log where process = 'build' and step = 'all'")
    part = ("--domain", DEMO, "--from", "stg")
    for _ in range(2):
        assert tidemark.run(*part, BUILD_ALL="daily").returncode == 0
    log = "select step, error_message from dwh.run_log where process = 'build' order by log_id desc"
    (last, first) = query(f"{log} limit 2")
    assert (first, last[0]) == (("all", " ".join(part)), "unchanged")
    query("update dwh.run_log set error_message = null where process = 'build' and step = 'all'")
    assert tidemark.run("--from", "stg", BUILD_ALL="daily").returncode == 0
    assert query(f"{log} limit 1")[0][0] == "unchanged", "a whole run has built everything"


def test_part_that_builds_does_not_wait_for_one_that_reads(
    tidemark: CommandLine, address: Address
) -> None:
    with run_locks(address) as locks:
        locks.share()
        assert locks.take("source ")
        assert tidemark.run("--until", "mrr").returncode == 75
        assert tidemark.run("--from", "stg").returncode == 0
    with run_lock(address):
        assert tidemark.run("--from", "stg").returncode == 75


def test_part_that_reads_does_not_wait_for_one_that_builds(
    tidemark: CommandLine, address: Address
) -> None:
    with run_locks(address) as locks:
        locks.share()
        with locks.building():
            assert tidemark.run("--until", "mrr").returncode == 0


def test_staging_has_no_test_that_reads_dwh() -> None:
    def node(name: str, kind: str, relation: str = "", *parents: str) -> GraphNode:
        return GraphNode(name, name, kind, name, relation, parents)

    nodes = [
        node("table", "source", '"mrr"."table"'),
        node("seed", "seed", '"stg"."seed"'),
        node("view", "model", '"stg"."view"', "table", "seed"),
        node("fact", "model", '"dwh"."fact"', "view"),
        node("of the table", "test", "", "table"),
        node("of the view", "test", "", "view", "seed"),
        node("of both", "test", "", "view", "fact"),
        node("of nothing that is built", "test", "", "gone"),
    ]
    graph = Graph({one.unique_id: one for one in nodes})
    assert graph.built - graph.staging == {"fact", "of both"}


def test_declared_names_every_table_and_starts_no_server(tidemark: CommandLine) -> None:
    done = tidemark.run("declared", WAREHOUSE_HOST="", WAREHOUSE_PORT="", DEMO_DOMAINS="")
    assert done.returncode == 2, "the settings are read"
    done = tidemark.run("declared", OPERATIONAL_PORT="1", WAREHOUSE_PORT="1", DEMO_DOMAINS="")
    named = [tuple(line.split("\t")) for line in done.stdout.splitlines()]
    assert named == [(table.domain, table.name) for table in declared_tables()]
    some = tidemark.run("declared", "--domain", DEMO, "--table", "mrr_fact_sales")
    assert some.stdout == f"{DEMO}\tmrr_fact_sales\n"


def test_step_of_a_scheduler_is_recorded(tidemark: CommandLine, query: Query) -> None:
    run = ["record", "--process", "airflow", "--run-id", "dag/manual__1"]
    message = 'it\'s 50% "done"; drop table x'
    told = ["--status", "error", "--seconds", "2.5", "--message", message]
    assert tidemark.run(*run, "--step", "sales.stg", *told).returncode == 0
    assert tidemark.run(*run, "--status", "success").returncode == 0
    assert query(
        "select process, step, status, execution_seconds::text, error_message,"
        " round(extract(epoch from finished_at - started_at), 1)::text from dwh.run_log"
        " where run_id = 'dag/manual__1' order by log_id"
    ) == [
        ("airflow", "sales.stg", "error", "2.500", message, "2.5"),
        ("airflow", "airflow", "success", "0.000", None, "0.0"),
    ]
    (run_of,) = query(
        "select kind, status, error_count from dwh.dwh_operations_runs"
        " where run_id = 'dag/manual__1'"
    )
    assert run_of == ("airflow", "success", 1)
    query(
        "insert into dwh.run_log (run_id, process, step, status, started_at)"
        " select 'dag/manual__' || number, 'airflow', 'airflow', 'success', clock_timestamp()"
        " from generate_series(2, 9) as numbers (number)"
    )
    shown = tidemark.run("status").stdout
    assert "dag/manual" not in shown
    assert shown.count(" run ") >= 5, "the last runs of Tidemark itself"


def test_step_of_a_scheduler_says_of_which_run_it_is(tidemark: CommandLine) -> None:
    done = tidemark.run("record", "--process", "airflow", "--status", "success")
    check_told(done, 2, "--run-id: not given")


def test_step_of_a_scheduler_needs_a_run_log(command_line: CommandLine) -> None:
    run = ["record", "--process", "cron", "--run-id", "1", "--status", "success"]
    check_told(command_line.run(*run), 1, "it has no dwh.run_log yet")


def test_part_without_the_source_is_held_to_its_options(tidemark: CommandLine) -> None:
    check_told(
        tidemark.run("--from", "stg", "--accept-deletes", "mrr_fact_sales=1"),
        *(2, "--accept-deletes: contradicts --from stg, which does not read the source"),
    )
