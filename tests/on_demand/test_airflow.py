"""The whole job as DAGs of Airflow, on embedded servers: `airflow dags test`, and a scheduler.

`make airflow` installs Airflow beside the project. Its home and the checkout are thrown away.
"""

import os
import re
import socket
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from common.settings import LOCAL, Address
from tests.support.checkouts import Checkout
from tests.support.embedded_servers import operational, warehouse
from tests.support.waiting import wait_for
from warehouse.connection import run_lock

PROGRAM = LOCAL / "airflow" / "bin" / "airflow"
OF_AIRFLOW = (
    "select step, status, coalesce(error_message, '') from dwh.run_log where process = 'airflow'"
    " and run_id like '{}/%' and log_id > {} order by log_id"
)
TWO = "sales,media"
EXIT_CODES = """
from airflow.sdk.exceptions import AirflowFailException
from tidemark_runs import failure
print([code for code in range(1, 256) if isinstance(failure(code), AirflowFailException)])
"""


FOREIGN = """
import tidemark_runs
from types import SimpleNamespace as Of
from airflow.sdk.exceptions import AirflowException
asked = []
def called(args, **how):
    asked.append([one for one in args if one.startswith("--message")])
    return Of(returncode=0)
tidemark_runs.subprocess.run = called
given = [
    AirflowException("secret"), "secret", None, tidemark_runs.failure(1),
    tidemark_runs.RunFailed("x" * 200_000),
]
for exception in given:
    context = {"dag_run": Of(dag_id="d", run_id="r"), "exception": exception, "task": Of(),
               "ti": Of(start_date=None, task_id="t")}
    tidemark_runs.recorded("error")(context)
print([one[:60] for (one,) in filter(None, asked)], max(len(one[0]) for one in asked if one))
"""


class Airflow:
    """Airflow with a home of its own, whose DAGs are those of a checkout."""

    def __init__(self, checkout: Checkout, home: Path) -> None:
        self.checkout = checkout
        self.home = home
        self.dags = checkout.folder / "orchestration" / "airflow" / "dags"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.environment = {
            **checkout.shell,
            "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}",
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
        }

    def call(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(PROGRAM), *arguments],
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=1800,
            check=False,
        )

    def python(self, code: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run code in Airflow's Python, where its DAGs are."""
        return subprocess.run(
            [PROGRAM.parent / "python", "-c", code],
            cwd=self.dags,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def test(self, dag: str, *arguments: str, **environment: str) -> str:
        """Run a DAG by `airflow dags test`; gives its state, and prints how long it took."""
        started = time.monotonic()
        done = self.call("dags", "test", dag, *arguments, **environment)
        state = re.search(rf"DagRun Finished: dag_id={dag}, .*?\bstate=(\w+)", done.stdout)
        assert state, done.stdout + done.stderr
        print(f"{dag}: {state[1]} in {time.monotonic() - started:.0f} s")
        return state[1]

    def asks(self, sql: str) -> list[tuple]:
        """Rows of Airflow's own database."""
        file = f"file:{self.home / 'airflow.db'}?mode=ro"
        with closing(sqlite3.connect(file, uri=True, timeout=60)) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    made = Checkout(tmp_path_factory.mktemp("airflow") / "project")
    del made.shell["DEMO_DOMAINS"]
    yield made
    made.run("down")


@pytest.fixture(scope="module")
def airflow(checkout: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Airflow:
    made = Airflow(checkout, tmp_path_factory.mktemp("home"))
    migrated = made.call("db", "migrate")
    assert migrated.returncode == 0, migrated.stdout + migrated.stderr
    return made


def address(checkout: Checkout, name: str) -> Address:
    values = dict(checkout.printed("--role", "owner"))
    account = f"{name}_ADMIN" if name == "OPERATIONAL" else name
    return Address(
        values[f"{name}_HOST"],
        int(values[f"{name}_PORT"]),
        values[f"{account}_USER"],
        values[f"{account}_PASSWORD"],
        values.get(f"{name}_DATABASE", ""),
    )


def of_airflow(checkout: Checkout, dag: str, after: int = 0) -> list[tuple]:
    """What the callbacks of a DAG have written into the run log."""
    return warehouse(address(checkout, "WAREHOUSE"), OF_AIRFLOW.format(dag, after))


def last_entry(checkout: Checkout) -> int:
    asked = "select max(log_id) from dwh.run_log"
    return warehouse(address(checkout, "WAREHOUSE"), asked)[0][0]


def declared(checkout: Checkout) -> dict[str, list[str]]:
    tables: dict[str, list[str]] = {}
    for line in checkout.run("declared").stdout.splitlines():
        domain, table = line.split("\t")
        tables.setdefault(domain, []).append(table)
    return tables


def tasks_up_to_stg(checkout: Checkout) -> set[str]:
    return {
        f"{domain}.{name}"
        for domain, tables in declared(checkout).items()
        for name in (*tables, "stg")
    }


def test_dags_are_read_and_have_the_declared_tables(airflow: Airflow, checkout: Checkout) -> None:
    errors = airflow.call("dags", "list-import-errors", "--output", "json")
    assert errors.stdout.splitlines()[-1] == "[]", errors.stdout
    airflow.call("dags", "reserialize")
    named = set(airflow.call("tasks", "list", "tidemark_stg").stdout.split())
    assert tasks_up_to_stg(checkout) <= named
    assert len(tasks_up_to_stg(checkout)) == 17
    by_domain = airflow.call("tasks", "list", "tidemark_stg", TIDEMARK_TASKS="domain").stdout
    assert {f"{domain}.mrr" for domain in declared(checkout)} <= set(by_domain.split())


def test_whole_job_is_in_the_run_log(airflow: Airflow, checkout: Checkout) -> None:
    domains = set(declared(checkout))
    assert checkout.run("--until", "mrr", "--table", "mrr_dim_products").returncode == 0
    conf = '{"operations": 50, "domain": "ecommerce"}'
    assert airflow.test("tidemark_simulate", "--conf", conf) == "success"
    assert airflow.test("tidemark_stg") == "success"
    facts = "select to_regclass('dwh.dwh_fact_sales') is null"
    assert warehouse(address(checkout, "WAREHOUSE"), facts) == [(True,)]
    assert airflow.test("tidemark_dwh") == "success"
    for dag, tasks in (
        ("tidemark_simulate", {"simulate"}),
        ("tidemark_stg", tasks_up_to_stg(checkout)),
        ("tidemark_dwh", domains),
    ):
        rows = of_airflow(checkout, dag)
        print(f"{dag}: {len(rows)} rows in dwh.run_log")
        assert {(step, status) for step, status, _ in rows} == {
            (step, "success") for step in (*tasks, "airflow")
        }
        assert len(rows) == len(tasks) + 1
    # nothing is left to do, and what is there is right
    assert checkout.run("changed").stdout == ""
    again = checkout.run()
    assert " 0 rows applied" in again.stdout and "dbt: unchanged" in again.stdout
    assert checkout.run("verify", "--quiet").returncode == 0


@contextmanager
def sales_refused(checkout: Checkout) -> Iterator[None]:
    """Every sale is deleted at the source until the end of the block, which the guard refuses."""
    source = address(checkout, "OPERATIONAL")
    operational(source, "create table sales.kept as select * from sales.sales")
    operational(source, "delete from sales.sales")
    yield
    operational(source, "insert into sales.sales select * from sales.kept")
    operational(source, "drop table sales.kept")


def test_refused_table_stops_its_domain_alone_and_is_not_tried_again(
    airflow: Airflow, checkout: Checkout
) -> None:
    events = "select count(*) from asset_event"
    before, last = airflow.asks(events)[0][0], last_entry(checkout)
    with sales_refused(checkout):
        assert airflow.test("tidemark_stg", DEMO_DOMAINS=TWO) == "failed"
    rows = of_airflow(checkout, "tidemark_stg", last)
    wrong = [row for row in rows if row[1] != "success"]
    assert [row[:2] for row in wrong] == [("sales.mrr_fact_sales", "refused"), ("airflow", "error")]
    assert "exit code 4: the delete guard refused" in wrong[0][2]
    done = {step for step, status, _ in rows if status == "success"}
    assert done == {
        *("sales.mrr_dim_customers", "sales.mrr_dim_products"),
        *("media.mrr_dim_media_files", "media.stg"),
    }
    assert airflow.asks(events)[0][0] == before + 1


def test_failed_data_test_is_a_warning_up_to_stg_and_fails_dwh(
    airflow: Airflow, checkout: Checkout
) -> None:
    last = last_entry(checkout)
    path = checkout.folder / "dbt_project/tests/sales/assert_it_fails.sql"
    path.write_text("select 1 as row from {{ ref('stg_fact_sales') }}", encoding="utf-8")
    assert airflow.test("tidemark_stg", DEMO_DOMAINS="sales") == "success"
    assert airflow.test("tidemark_dwh", DEMO_DOMAINS="sales") == "failed"
    path.unlink()
    told = ("warning", "the data were loaded, but a data test failed")
    assert ("sales.stg", *told) in of_airflow(checkout, "tidemark_stg", last)
    (failed, _) = of_airflow(checkout, "tidemark_dwh", last)
    assert failed[:2] == ("sales", "warning")
    assert failed[2].endswith(told[1])


def test_task_that_meets_another_run_is_tried_again(airflow: Airflow, checkout: Checkout) -> None:
    last = last_entry(checkout)
    in_use = threading.Event()

    def hold() -> None:
        with run_lock(address(checkout, "WAREHOUSE")):
            in_use.set()
            wait_for(lambda: of_airflow(checkout, "tidemark_dwh", last), "the first try")

    holder = threading.Thread(target=hold)
    holder.start()
    in_use.wait()
    assert airflow.test("tidemark_dwh", DEMO_DOMAINS="sales") == "success"
    holder.join()
    first, second, whole = of_airflow(checkout, "tidemark_dwh", last)
    assert first == ("sales", "error", "run.py: exit code 75: another run holds the lock")
    assert (second[:2], whole[:2]) == (("sales", "success"), ("airflow", "success"))


def test_exit_codes_that_another_try_does_not_change(airflow: Airflow) -> None:
    done = airflow.python(EXIT_CODES)
    assert done.stdout.splitlines()[-1] == "[2, 3, 4]", done.stderr


def test_texts_of_other_exceptions_are_not_recorded(airflow: Airflow) -> None:
    done = airflow.python(FOREIGN)
    assert done.stdout.splitlines()[-1] == (
        "['--message=AirflowException', '--message=stopped by Airflow',"
        " '--message=run.py: exit code 1: something failed', '--message=" + "x" * 50 + "'] 2010"
    ), done.stderr


def test_wrong_setting_is_told_in_the_words_of_run_py(airflow: Airflow) -> None:
    done = airflow.python("import tidemark", DEMO_DOMAINS="sale")
    assert done.returncode
    assert "run.py declared: exit code 2: DEMO_DOMAINS: no domain of the demo has" in done.stderr
    done = airflow.python("import tidemark", TIDEMARK_TASKS="tables")
    assert 'TIDEMARK_TASKS: "tables" is neither table nor domain' in done.stderr


BEGUN = """
    select
        (select count(*) from asset_dag_run_queue)
        + (select count(*) from dag_run where dag_id = 'tidemark_dwh' and end_date is null)
"""


@contextmanager
def scheduling(airflow: Airflow) -> Iterator[None]:
    """All of Airflow's processes, until the end of the block."""
    log = airflow.home / "standalone.log"
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            [str(PROGRAM), "standalone"],
            env={**airflow.environment, "DEMO_DOMAINS": TWO},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield
    finally:
        os.killpg(process.pid, 15)
        process.wait(60)


def test_scheduler_starts_dwh_by_the_asset_and_no_second_run_beside_the_first(
    airflow: Airflow, checkout: Checkout
) -> None:
    last, first = last_entry(checkout), airflow.asks("select max(id) from dag_run")[0][0]

    def ended(dag: str) -> list[tuple]:
        """State, kind, start and end of each run that has ended, in their order."""
        return airflow.asks(
            f"select state, run_type, start_date, end_date from dag_run where dag_id = '{dag}'"
            f" and id > {first} and end_date is not null order by start_date"
        )

    def written() -> set[tuple[str, str]]:
        rows = of_airflow(checkout, "tidemark_dwh", last)
        return {(step, status) for step, status, _ in rows}

    with scheduling(airflow):
        for dag in ("tidemark_dwh", "tidemark_stg"):
            assert airflow.call("dags", "unpause", "--yes", dag).returncode == 0
        for _ in range(2):
            done = airflow.call("dags", "trigger", "tidemark_stg")
            assert done.returncode == 0, done.stdout + done.stderr
        wait_for(lambda: len(ended("tidemark_stg")) > 1 and ended("tidemark_dwh"), "three runs")
        # whichever asset began the first run of dwh, one of its runs builds each domain
        wait_for(
            lambda: written() >= {(name, "success") for name in ("sales", "media", "airflow")},
            "each domain, and the row of the run, which the DAG processor writes",
        )
        # what an asset has begun would be done in the next test
        wait_for(lambda: airflow.asks(BEGUN) == [(0,)], "no run of tidemark_dwh is left")
    up_to_stg, dwh = ended("tidemark_stg"), ended("tidemark_dwh")
    print("by the scheduler:", [run[2:] for run in up_to_stg], [run[2:] for run in dwh])
    assert {run[0] for run in (*up_to_stg, *dwh)} == {"success"}
    assert {run[1] for run in dwh} == {"asset_triggered"}
    assert all(one[3] <= other[2] for one, other in pairwise(up_to_stg))
    assert {step for step, _ in written()} == {"airflow", "sales", "media"}
    facts = "select count(*) > 0 from dwh.dwh_fact_sales"
    assert warehouse(address(checkout, "WAREHOUSE"), facts) == [(True,)]


def test_run_by_one_asset_skips_the_other_domains(airflow: Airflow, checkout: Checkout) -> None:
    last, first = last_entry(checkout), airflow.asks("select max(id) from dag_run")[0][0]
    with sales_refused(checkout), scheduling(airflow):
        for dag in ("tidemark_dwh", "tidemark_stg"):
            assert airflow.call("dags", "unpause", "--yes", dag).returncode == 0
        assert airflow.call("dags", "trigger", "tidemark_stg").returncode == 0
        wait_for(
            lambda: (
                airflow.asks(
                    "select count(*) from dag_run where dag_id = 'tidemark_dwh'"
                    f" and id > {first} and end_date is not null"
                )
                != [(0,)]
            ),
            "a run of tidemark_dwh",
        )
        wait_for(
            lambda: ("airflow", "success", "") in of_airflow(checkout, "tidemark_dwh", last),
            "the row of the run",
        )
    rows = {(step, status) for step, status, _ in of_airflow(checkout, "tidemark_dwh", last)}
    assert rows == {("media", "success"), ("sales", "skipped"), ("airflow", "success")}
