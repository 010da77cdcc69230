"""What is found in the control tables, and when it is found no more."""

import pytest
import yaml
from psycopg2.extensions import connection as Connection

from alerts.findings import TITLES, Scope
from alerts.settings import AlertSettings
from common.settings import DBT_PROJECT
from tests.alerts.conftest import TABLES, Checks, Log
from tests.alerts.finding import aged, compared, found, told
from tests.support.servers import Query
from warehouse.connection import run_locks

REFUSAL = (
    "mrr_fact_sales: 49 of 49 mirrored rows are gone at the source, at most 0 may be deleted in 24"
    " hours; nothing was changed\nHINT: If they were really deleted, accept this once:"
    " --accept-deletes mrr_fact_sales=49"
)


def test_nothing_is_found_where_nothing_has_failed(upgraded: Connection, log: Log) -> None:
    assert told(upgraded) == []
    log.add("extract", "mrr_fact_sales", "success")
    log.add("dbt", "dwh_fact_sales", "success")
    log.add("dbt", "some_warning", "warning", "3 rows fail")
    log.add("run", "run", "success")
    assert told(upgraded) == []


@pytest.mark.parametrize(
    ("process", "step", "status", "message", "rule", "command"),
    [
        *[
            ("extract", "mrr_fact_sales", "error", message, "table", "--table mrr_fact_sales")
            for message in ("mrr_fact_sales: gone\nHINT: Look.", None)
        ],
        ("extract", "mrr_fact_sales", "refused", REFUSAL, "guard", "s mrr_fact_sales=49"),
        ("dbt", "assert_it", "error", "12 rows fail", "test", "dbt build --select assert_it"),
        ("dbt", "dwh_x", "error", "division by zero", "model", "dbt build --select dwh_x"),
    ],
    ids=["table", "table without a word", "guard", "test", "model"],
)
def test_step_is_told_until_it_has_succeeded(
    upgraded: Connection,
    log: Log,
    process: str,
    step: str,
    status: str,
    message: str | None,
    rule: str,
    command: str,
) -> None:
    log.add(process, step, "success", run="r0")
    log.add(process, step, status, message, run="r1")
    log.add("run", "run", status, step, run="r1", is_own=False)
    log.add(process, step, status, message, run="r2")
    log.add(process, step, "skipped", run="r3")
    (finding,) = found(upgraded)
    assert finding.key == (rule, step)
    assert (message or "failed").splitlines()[0] in finding.problem
    assert "run: r2" in finding.problem
    assert finding.next_command.endswith(command)
    assert f"{finding.since:%H:%M:%S}" == "03:00:02"
    log.add(process, step, "success", run="r4")
    log.add("run", "run", "success", run="r4")
    assert found(upgraded) == []


COLLECTION = "mrr_fact_documents"


@pytest.mark.parametrize(
    ("status", "message", "rule", "command"),
    [
        ("error", "mongodb h/shop: gone", "table", f"collections --collection {COLLECTION}"),
        (
            "refused",
            REFUSAL.replace("mrr_fact_sales", COLLECTION),
            "guard",
            f"--accept-deletes {COLLECTION}=49",
        ),
    ],
)
def test_collection_is_told_until_it_is_imported_while_a_run_does_so(
    checks: Checks, log: Log, status: str, message: str, rule: str, command: str
) -> None:
    log.add("collections", "collections", "error", "file: gone")
    log.add("collections", COLLECTION, status, message)
    assert checks.check().open == ()
    checks.scope = Scope(TABLES, {}, [COLLECTION])
    ((incident,),) = (checks.check().open,)
    assert incident.finding.key == (rule, COLLECTION)
    assert incident.finding.next_command == f"python run.py {command}"
    log.add("collections", COLLECTION, "success")
    assert checks.check().open == ()


def test_what_nobody_mirrors_or_builds_any_more_is_not_told(upgraded: Connection, log: Log) -> None:
    log.add("extract", "mrr_dim_gone", "error", "no such table")
    log.add("dbt", "dwh_gone", "error", "no such column")
    log.add("run", "run", "error", "killed", scope="--table mrr_dim_gone")
    log.add("verify", "mrr_dim_gone", "error", "no such table")
    log.add("scheduler", "scheduler", "error", "a task failed")
    log.add("scheduler", "mrr_fact_sales", "refused", "a task failed")
    assert told(upgraded) == []


def test_node_that_may_be_gone_begins_no_incident_and_ends_none(checks: Checks, log: Log) -> None:
    """The nodes are not known if a file of the project has changed since the last run."""

    def subjects() -> list[str]:
        return [incident.finding.subject for incident in checks.check().open]

    log.add("dbt", "dwh_x", "error", "no such column")
    assert subjects() == ["dwh_x"]
    log.add("dbt", "dwh_gone", "error", "no such column")
    checks.scope = Scope(TABLES, None)
    assert subjects() == ["dwh_x"]
    checks.scope = Scope(TABLES, {"dwh_gone": "model"})
    assert subjects() == ["dwh_gone"]


@pytest.mark.parametrize("command", ["run", "verify", "backup"])
def test_command_that_failed_by_itself_is_told(
    upgraded: Connection, log: Log, command: str
) -> None:
    log.add(command, command, "error", "warehouse: no room")
    log.add(command, command, "error", "warehouse: still no room", run="r2")
    (finding,) = found(upgraded)
    assert finding.key == ("run", command)
    assert finding.problem == "warehouse: still no room\nrun: r2"
    assert finding.next_command == f"python run.py{'' if command == 'run' else f' {command}'}"
    assert f"{finding.since:%H:%M:%S}" == "03:00:01"
    log.add(command, command, "warning")
    assert found(upgraded) == []


@pytest.mark.parametrize("command", ["run", "verify"])
def test_command_that_failed_by_itself_is_told_whatever_else_failed_in_it(
    upgraded: Connection, log: Log, query: Query, command: str
) -> None:
    for run in ("r1", "r2"):
        log.add("extract", "mrr_fact_sales", "refused", REFUSAL, run=run)
        log.add("dbt", "dwh_x", "error", "division by zero", run=run)
        compared(query, run, "mrr_dim_products", False)
        log.add(command, command, "error", "dbt: cannot read the project", run=run)
        assert ("run", command) in told(upgraded)
    log.add(command, command, "running", run="killed")
    log.add("dbt", "dwh_x", "error", "division by zero", run="killed")
    assert ("run", command) in told(upgraded)
    # it came to its end
    log.add(command, command, "error", "dwh_x", run="r3", is_own=False)
    assert ("run", command) not in told(upgraded)


def test_runs_of_other_tables_end_nothing(upgraded: Connection, log: Log) -> None:
    log.add("run", "run", "error", "no room", scope="--domain sales")
    log.add("run", "run", "running", run="killed", scope="--domain sales")
    for scope in ("--domain web", "--table mrr_fact_sales"):
        log.add("run", "run", "success", scope=scope)
    (finding,) = found(upgraded)
    assert finding.key == ("run", "run --domain sales")
    assert finding.next_command == "python run.py --domain sales"
    assert f"{finding.since:%H:%M:%S}" == "03:00:01"
    log.add("run", "run", "error", "no room, either", scope="--domain web")
    assert told(upgraded) == [("run", "run --domain sales"), ("run", "run --domain web")]
    log.add("run", "run", "success", scope="--domain sales")
    assert told(upgraded) == [("run", "run --domain web")]
    log.add("run", "run", "refused")
    assert told(upgraded) == []


@pytest.mark.parametrize("scope", ["--until stg", "--domain sales --from stg", "--from stg"])
def test_part_of_a_run_that_failed_is_over_by_the_same_part_or_by_all(
    upgraded: Connection, log: Log, scope: str
) -> None:
    failed = [("run", f"run {scope}")]
    for end in (scope, None):
        log.add("run", "run", "error", "no room", scope=scope)
        for other in ("--until mrr", "--domain web --from stg", "--domain sales"):
            log.add("run", "run", "success", scope=other)
        (finding,) = found(upgraded)
        assert [finding.key] == failed
        assert finding.next_command == f"python run.py {scope}"
        log.add("run", "run", "success", scope=end)
        assert told(upgraded) == []


def test_copy_of_a_backup_that_failed_is_told(upgraded: Connection, log: Log) -> None:
    log.add("backup", "backup", "success")
    log.add("backup", "copy", "error", "rclone: no connection")
    (finding,) = found(upgraded)
    assert (finding.key, finding.next_command) == (("run", "backup copy"), "python run.py backup")
    log.add("backup", "copy", "success")
    assert told(upgraded) == []


def test_tables_of_verify_are_told_each_by_itself(
    upgraded: Connection, log: Log, query: Query
) -> None:
    compared(query, "r1", "mrr_fact_sales", False)
    log.add("verify", "mrr_fact_sales", "warning", "3 rows differ")
    log.add("verify", "mrr_dim_products", "error", "the source has no such table")
    log.add("verify", "mrr_fact_visits", "refused", REFUSAL.replace("fact_sales", "fact_visits"))
    log.add("verify", "verify", "error", "all of them", is_own=False)
    commands = {finding.key: finding.next_command for finding in found(upgraded)}
    assert commands == {
        ("verification", "mrr_fact_sales"): "python run.py verify --table mrr_fact_sales --repair",
        ("run", "verify --table mrr_dim_products"): "python run.py verify --table mrr_dim_products",
        ("guard", "mrr_fact_visits"): "python run.py verify --table mrr_fact_visits --repair"
        " --accept-deletes mrr_fact_visits=49",
    }
    log.add("verify", "mrr_fact_visits", "warning", "49 rows differ")
    assert ("guard", "mrr_fact_visits") in told(upgraded)
    log.add("extract", "mrr_fact_visits", "success")
    log.add("verify", "mrr_dim_products", "success")
    assert told(upgraded) == [("verification", "mrr_fact_sales")]


def test_incident_ends_with_a_success_and_not_with_another_failure(
    upgraded: Connection, log: Log
) -> None:
    log.add("extract", "mrr_fact_sales", "refused", REFUSAL)
    log.add("extract", "mrr_fact_sales", "error", "the source is down")
    both = [("table", "mrr_fact_sales"), ("guard", "mrr_fact_sales")]
    assert told(upgraded) == both
    log.add("extract", "mrr_fact_sales", "skipped", "another run works on its tables")
    log.add("extract", "mrr_fact_sales", "refused", REFUSAL)
    assert told(upgraded) == both
    log.add("extract", "mrr_fact_sales", "success")
    assert told(upgraded) == []


def test_test_that_cannot_run_is_a_test_all_the_same(upgraded: Connection, log: Log) -> None:
    log.add("dbt", "assert_it", "error", "12 rows fail")
    log.add("dbt", "assert_it", "error", "canceling statement due to lock timeout")
    assert told(upgraded) == [("test", "assert_it")]
    log.add("dbt", "dwh_x", "error", "3 rows fail")
    assert told(upgraded) == [("model", "dwh_x"), ("test", "assert_it")]


def test_test_of_every_row_is_not_over_by_one_of_changed_rows(
    upgraded: Connection, log: Log
) -> None:
    log.add("verify", "verify", "error", "assert_it", run="v1", is_own=False)
    log.add("dbt", "assert_it", "error", "2 rows fail", run="v1")
    log.add("run", "run", "success", run="r1")
    log.add("dbt", "assert_it", "success", run="r1")
    (finding,) = found(upgraded)
    assert finding.key == ("test", "assert_it")
    assert finding.next_command == "python run.py verify"
    # by hand, or by another verify
    log.add("dbt", "assert_it", "success", run="by hand")
    assert told(upgraded) == []


def test_order_of_the_ids_does_not_matter(upgraded: Connection, log: Log, query: Query) -> None:
    """A restore gives rows of the backup higher ids than those that were written after it."""
    log.add("extract", "mrr_fact_sales", "error", "of the backup")
    log.add("dbt", "assert_it", "success", run="of the backup")
    log.add("run", "run", "error", "of the backup")
    log.add("extract", "mrr_fact_sales", "success")
    log.add("dbt", "assert_it", "error", "1 row fails")
    log.add("run", "run", "success")
    assert told(upgraded) == [("test", "assert_it")]
    query("update dwh.run_log set log_id = default where log_id <= 3")
    assert query("select max(log_id) from dwh.run_log where started_at < '2026-11-27 03:00:04+00'")
    assert told(upgraded) == [("test", "assert_it")]


def test_time_in_the_future_is_not_believed(upgraded: Connection, log: Log, query: Query) -> None:
    log.add("extract", "mrr_fact_sales", "success")
    log.add("backup", "backup", "success")
    log.add("run", "run", "success")
    query("update dwh.run_log set started_at = '2100-01-01', finished_at = '2100-01-01'")
    log.add("extract", "mrr_fact_sales", "error", "gone")
    log.add("run", "run", "error", "no room")
    assert told(upgraded) == [("run", "run"), ("table", "mrr_fact_sales")]
    aged(query, 30, "where started_at < '2100-01-01'")
    rules = [finding.rule for finding in found(upgraded, AlertSettings())]
    assert rules == ["run", "table", "backup", "no run", "no run"]


def test_verification_of_a_backup_is_a_command_of_its_own(upgraded: Connection, log: Log) -> None:
    log.add("backup", "backup", "success")
    log.add("backup", "verify", "error", "a table differs from the manifest")
    (finding,) = found(upgraded)
    assert finding.key == ("run", "backup --verify")
    assert finding.next_command == "python run.py backup --verify"


def test_run_that_somebody_stopped_at_a_terminal_is_not_told(
    upgraded: Connection, log: Log
) -> None:
    log.add("run", "run", "error", "stopped by SIGINT")
    assert told(upgraded) == []
    log.add("run", "run", "error", "stopped by SIGTERM")
    assert told(upgraded) == [("run", "run")]
    log.add("run", "run", "error", "stopped by SIGINT")
    assert told(upgraded) == [("run", "run")]


def test_run_that_was_killed_is_told_and_one_that_goes_on_is_not(
    upgraded: Connection, log: Log, checks: Checks
) -> None:
    log.add("run", "run", "success", run="before")
    log.add("run", "run", "running", run="at-work")
    with run_locks(checks.address) as lock:
        assert lock.take("at-work")
        assert told(upgraded) == []
    (finding,) = found(upgraded)
    assert finding.problem == "ended without closing its row\nrun: at-work"


def test_rules_are_those_that_the_control_table_declares() -> None:
    sources = DBT_PROJECT / "models" / "mrr" / "control" / "_mrr_control__sources.yml"
    declared = yaml.safe_load(sources.read_text(encoding="utf-8"))["sources"][0]["tables"]
    (incident,) = [table for table in declared if table["name"] == "alert_incident"]
    (rule,) = [column for column in incident["columns"] if column["name"] == "rule_name"]
    (values,) = [test["accepted_values"]["arguments"]["values"] for test in rule["data_tests"]]
    # that the warehouse cannot be checked is kept elsewhere
    assert values == [name for name in TITLES if name != "check"]


def test_long_message_is_shortened(upgraded: Connection, log: Log) -> None:
    log.add("dbt", "dwh_x", "error", "x" * 5_000)
    (finding,) = found(upgraded)
    assert len(finding.problem) < 1_100
