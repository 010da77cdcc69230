"""Each alert provoked by what it is about, received over HTTP, and told when it is over.

The warehouse is up to date and nothing is open before each test, and after it.
"""

import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

import embedded
from alerts import AlertSettings
from commands import alert
from common.settings import Address
from operational.connection import connection as operational_connection
from operational.seed import seed
from tests.support.command_line import DEMO, CommandLine, check_told, copy_of_project
from tests.support.four_failures import TOLD, four_failures
from tests.support.held_command import HeldCommand
from tests.support.receiver import Receiver, receiving
from tests.support.servers import Query, querying
from warehouse.connection import connect, transaction

Execute = Callable[[str], None]
DECLARATIONS = "dbt_project/models/mrr/sales/_mrr_sales__sources.yml"
ACCOUNT = "alice:t0ken-of-a-channel@"


@pytest.fixture(scope="module")
def sales(servers: embedded.Servers) -> Iterator[Execute]:
    """SQL on the operational database `sales`, which is made anew before and after."""
    with operational_connection(servers.operational_root) as connection:
        cursor = connection.cursor()
        cursor.execute("drop database if exists sales")
        seed(servers, [DEMO])
        cursor.execute("use sales")

        def execute(sql: str) -> None:
            cursor.execute(sql)
            connection.commit()

        yield execute
        cursor.execute("drop database sales")
        seed(servers, [DEMO])


@pytest.fixture(scope="module")
def query(address: Address) -> Iterator[Query]:
    with querying(address) as run:
        yield run


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@pytest.fixture(scope="module")
def tidemark(
    servers: embedded.Servers,
    address: Address,
    sales: Execute,
    receiver: Receiver,
    tmp_path_factory: pytest.TempPathFactory,
) -> CommandLine:
    """A copy of the project that sends its alerts to the receiver, after its first run."""
    folder = copy_of_project(tmp_path_factory.mktemp("alerts") / "project")
    made = CommandLine(folder, servers.operational, address)
    made.environment |= {"ALERT_URLS": receiver.url(ACCOUNT), "ALERT_BACKUP_HOURS": "off"}
    first = made.run()
    assert first.returncode == 0, first.stdout + first.stderr
    assert receiver.take() == []
    return made


def check(tidemark: CommandLine, **environment: str) -> str:
    """What a check prints, which tells everything."""
    done = tidemark.run("alert", "--check", **environment)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_test_is_received(tidemark: CommandLine, receiver: Receiver) -> None:
    done = tidemark.run("alert", "--test")
    assert (done.returncode, done.stdout, done.stderr) == (0, "json 1  sent\n", "")
    (message,) = receiver.take()
    assert message["title"] == "test"
    assert f"told by: Tidemark in {tidemark.folder} on " in message["message"]


def test_table_guard_model_and_test_are_told_by_the_run(
    tidemark: CommandLine, sales: Execute, receiver: Receiver
) -> None:
    with four_failures(tidemark, sales):
        assert tidemark.run().returncode == 1
        messages = {message["title"]: message["message"] for message in receiver.take()}
        assert set(messages) == set(TOLD)
        for title, parts in TOLD.items():
            for part in (*parts, "\nsince: 20"):
                assert part in messages[title]
        assert len(check(tidemark).splitlines()) == 4
        assert receiver.take() == []
    done = tidemark.run()
    assert done.returncode == 0, done.stderr
    assert sorted(receiver.titles()) == sorted(f"over: {title}" for title in TOLD)
    assert check(tidemark) == ""


def test_run_that_was_killed_is_told_by_the_timer(
    tidemark: CommandLine, receiver: Receiver, tmp_path: Path
) -> None:
    run = HeldCommand(tidemark, tmp_path / "held", "read")
    try:
        assert check(tidemark) == ""
    finally:
        os.kill(run.process.pid, signal.SIGKILL)
        run.end()
    assert "  run  run: ended without closing its row\n" in check(tidemark)
    (message,) = receiver.take()
    assert message["title"] == "a command failed: run"
    assert "\nnext: python run.py\n" in message["message"]
    assert tidemark.run().returncode == 0
    assert receiver.titles() == ["over: a command failed: run"]


def test_table_that_differs_is_told_by_verify(
    tidemark: CommandLine, receiver: Receiver, query: Query
) -> None:
    query("update mrr.mrr_fact_sales set qty = 987654 where id = 1")
    assert tidemark.run("verify", "--table", "mrr_fact_sales").returncode == 1
    (message,) = receiver.take()
    assert message["title"] == "the mirror differs from its source: mrr_fact_sales"
    assert "of 30 rows that were compared, some differ\n" in message["message"]
    command = "python run.py verify --table mrr_fact_sales --repair"
    assert f"\nnext: {command}\n" in message["message"]
    assert "987654" not in message["message"]
    assert tidemark.run(*command.split()[2:]).returncode == 0
    assert receiver.titles() == [
        "over: the mirror differs from its source: mrr_fact_sales",
    ]


def test_missing_backup_is_told_and_that_it_was_made(
    tidemark: CommandLine, receiver: Receiver, query: Query
) -> None:
    hours = {"ALERT_BACKUP_HOURS": "26"}
    assert check(tidemark, **hours) == ""
    query("update mrr_state.applied_step set applied_at = now() - interval '27 h'")
    assert "  backup  backup: none was ever made\n" in check(tidemark, **hours)
    (message,) = receiver.take()
    assert message["title"] == "there is no recent backup: backup"
    assert "\nnext: python run.py backup\n" in message["message"]
    assert tidemark.run("backup").returncode == 0
    assert check(tidemark, **hours) == ""
    assert receiver.titles() == ["over: there is no recent backup: backup"]
    query(
        "update dwh.run_log set finished_at = finished_at - interval '27 h'"
        " where process = 'backup'"
    )
    check(tidemark, **hours)
    (message,) = receiver.take()
    assert "\nthe last one was made 27 h ago\n" in message["message"]
    query("update dwh.run_log set finished_at = now() where process = 'backup'")
    assert check(tidemark, **hours) == ""
    assert len(receiver.take()) == 1


def test_that_no_run_has_succeeded_is_told_and_that_one_has(
    tidemark: CommandLine, receiver: Receiver, query: Query
) -> None:
    query("update dwh.run_log set finished_at = now() - interval '27 h' where process = 'extract'")
    assert "  no run  sales: the last one of mrr_dim_customers ended 27 h ago\n" in check(tidemark)
    (message,) = receiver.take()
    assert message["title"] == "no run has succeeded: sales"
    assert tidemark.run().returncode == 0
    assert receiver.titles() == ["over: no run has succeeded: sales"]


def test_checks_at_the_same_time_send_once(
    tidemark: CommandLine, receiver: Receiver, query: Query, address: Address, free_port: int
) -> None:
    down = {"WAREHOUSE_PORT": str(free_port)}
    query("update dwh.run_log set finished_at = now() - interval '27 h' where process = 'extract'")
    receiver.pause = 0.5
    with ThreadPoolExecutor() as pool:
        for environment in ({}, down):
            made = [pool.submit(check, tidemark, **environment) for _ in range(3)]
            assert len({one.result() for one in made}) == 1
    receiver.pause = 0
    assert receiver.titles() == [
        "no run has succeeded: sales",
        f"the warehouse cannot be checked: warehouse {replace(address, port=free_port)}",
    ]
    assert tidemark.run().returncode == 0
    assert len(receiver.take()) == 2


def test_warehouse_that_is_down_is_told_by_the_run_and_by_the_timer(
    tidemark: CommandLine, receiver: Receiver, address: Address, free_port: int
) -> None:
    down = {"WAREHOUSE_PORT": str(free_port)}
    title = f"the warehouse cannot be checked: warehouse {replace(address, port=free_port)}"
    check_told(tidemark.run(**down), 1, "no connection")
    assert receiver.titles() == [title]
    subject = title.partition(": ")[2]
    assert f"  check  {subject}: no connection" in check(tidemark, **down)
    assert receiver.take() == []
    assert check(tidemark) == ""
    assert receiver.titles() == [f"over: {title}"]


def test_warehouse_that_answers_too_late_is_told(
    tidemark: CommandLine,
    address: Address,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    for name, value in tidemark.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(alert, "STATEMENT_TIMEOUT", "200ms")
    monkeypatch.setattr(alert, "STATE_FILE", tmp_path / "alerts.json")
    settings = AlertSettings((receiver.url(),), no_backup=None)
    with closing(connect(address)) as holding, transaction(holding):
        holding.cursor().execute("lock table dwh.run_log in access exclusive mode")
        (incident,) = alert.check_now(settings).open
    assert "canceling statement due to statement timeout" in incident.finding.problem
    assert alert.check_now(settings).open == ()
    assert len(receiver.take()) == 2


def test_project_that_dbt_cannot_read_is_told_though_a_table_fails_too(
    tidemark: CommandLine, sales: Execute, receiver: Receiver
) -> None:
    model = tidemark.folder / "dbt_project/models/stg/sales/stg_broken.sql"
    sales("alter table products rename to products_elsewhere")
    try:
        assert tidemark.run().returncode == 1
        assert receiver.titles() == ["a table is not up to date: mrr_dim_products"]
        model.write_text("select 1 as one from {{ ref('nothing') }}", "utf-8")
        for _ in range(2):
            assert tidemark.run("--json").returncode == 1
    finally:
        model.unlink(missing_ok=True)
        sales("alter table products_elsewhere rename to products")
    (message,) = receiver.take()
    assert message["title"] == "a command failed: run"
    assert "mrr_dim_products, " in message["message"]
    done = tidemark.run("--json", "--quiet")
    assert (done.returncode, done.stdout.count("\n"), done.stderr) == (0, 1, "")
    assert json.loads(done.stdout)["exit_code"] == 0
    assert len(receiver.take()) == 2


def test_wrong_settings_and_declarations_are_told_by_the_run_itself(
    tidemark: CommandLine, receiver: Receiver
) -> None:
    dotenv, declarations = tidemark.folder / ".env", tidemark.folder / DECLARATIONS
    right = declarations.read_text("utf-8")
    wrong = {dotenv: "WAREHOUSE_HOTS=x\n", declarations: right.replace("meta:", "mata:", 1)}
    for command in ("run", "verify"):
        arguments = [] if command == "run" else [command]
        for path, text in wrong.items():
            path.write_text(text, "utf-8")
            assert tidemark.run(*arguments, LOG_FORMAT="json").returncode == 2
            (message,) = receiver.take()
            assert message["title"].startswith("the warehouse cannot be checked: ")
            declarations.write_text(right, "utf-8")
            dotenv.unlink(missing_ok=True)
            assert check(tidemark) == ""
            assert len(receiver.take()) == 1
    # somebody at a terminal sees that
    assert tidemark.run("--table", "nothing").returncode == 2
    assert receiver.take() == []


def test_check_starts_and_upgrades_nothing(
    tidemark: CommandLine, receiver: Receiver, query: Query
) -> None:
    unset = dict.fromkeys((name for name in tidemark.environment if "HOUSE_" in name), "")
    done = tidemark.run("alert", "--check", **unset)
    assert "embedded warehouse: it was never started\n" in done.stdout
    assert not (tidemark.folder / ".local/servers/postgresql").exists()
    assert check(tidemark) == ""
    assert len(receiver.take()) == 2
    query("alter table mrr_state.alert_key rename to of_a_later_version")
    try:
        done = tidemark.run("alert", "--check")
        check_told(done, 1, "its control tables are those of an earlier version")
        aside = "update dwh.run_log set finished_at = finished_at {} interval '30 h'"
        query(aside.format("-"))
        assert tidemark.run("alert", "--check").returncode == 0
        query(aside.format("+"))
    finally:
        query("alter table mrr_state.of_a_later_version rename to alert_key")
    assert len(receiver.take()) == 1
    check(tidemark)
    assert len(receiver.take()) == 1


def test_refusal_of_a_repair_is_told_with_the_command_that_accepts_it(
    tidemark: CommandLine, sales: Execute, receiver: Receiver
) -> None:
    sales("create table sales_elsewhere as select * from sales")
    sales("delete from sales")
    assert tidemark.run("verify", "--table", "mrr_fact_sales", "--repair").returncode == 4
    (message,) = receiver.take()
    assert message["title"] == "deletes were refused: mrr_fact_sales"
    sales("insert into sales select * from sales_elsewhere")
    sales("drop table sales_elsewhere")
    (command,) = re.findall(r"\nnext: python run.py (.*)\n", message["message"])
    assert command == "verify --table mrr_fact_sales --repair --accept-deletes mrr_fact_sales=30"
    assert tidemark.run("verify", "--table", "mrr_fact_sales").returncode == 0
    assert receiver.titles() == ["over: deletes were refused: mrr_fact_sales"]


def test_settings_that_keep_everything_from_running_are_told(
    tidemark: CommandLine, receiver: Receiver
) -> None:
    assert 'WAREHOUSE_PORT: "x" is not a port' in check(tidemark, WAREHOUSE_PORT="x")
    (message,) = receiver.take()
    assert message["title"] == "the warehouse cannot be checked: WAREHOUSE_PORT"
    assert '"x" is not a port\nSet a number' in message["message"]
    assert check(tidemark) == ""
    assert len(receiver.take()) == 1


def test_run_ends_as_it_would_if_its_alerts_cannot_be_sent(
    tidemark: CommandLine, receiver: Receiver, query: Query, free_port: int
) -> None:
    query("update dwh.run_log set finished_at = now() - interval '27 h' where process = 'extract'")
    done = tidemark.run("alert", "--check", ALERT_URLS=f"json://127.0.0.1:{free_port}")
    check_told(done, 1, "alerts by json 1: not sent (no connection); it is tried again")
    done = tidemark.run(ALERT_URLS=f"json://127.0.0.1:{free_port}")
    check_told(done, 0, "alerts by json 1: not sent (no connection); it is tried again")
    assert check(tidemark) == ""
    assert receiver.titles() == [
        "no run has succeeded: sales",
        "over: no run has succeeded: sales",
    ]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--check"], "ALERT_URLS: not set"),
        (["--test"], "ALERT_URLS: not set"),
        ([], "alert: says nothing of what to do"),
        (["--test", "--check"], "alert: says nothing of what to do"),
    ],
    ids=" ".join,
)
def test_command_that_cannot_alert_is_refused(
    tidemark: CommandLine, arguments: list[str], problem: str
) -> None:
    check_told(tidemark.run("alert", *arguments, ALERT_URLS=""), 2, problem)


def test_secret_of_the_address_is_in_no_file_and_no_table(
    tidemark: CommandLine, query: Query
) -> None:
    secret = ACCOUNT.partition(":")[2].rstrip("@").encode()
    found = tidemark.folder.rglob("*")
    files = [path for path in found if path.is_file() and "tests" not in path.parts]
    assert any(path.name == "tidemark.log" for path in files)
    assert [path for path in files if secret in path.read_bytes()] == []
    assert query("select 1 from dwh.alert_incident") != []
    for table in ("alert_incident", "run_log"):
        assert secret.decode() not in str(query(f"select * from dwh.{table}"))
