"""What is found in the control tables, and when it is found no more."""

import pytest
import yaml
from psycopg2.extensions import connection as Connection

from alerts.rules import TITLES, Finding, Scope, find
from alerts.settings import AlertSettings
from common.settings import DBT_PROJECT
from tests.alerts.conftest import TABLES, Checks, Log
from tests.support.servers import Query
from warehouse.connection import run_locks

NEVER = AlertSettings(no_run=None, no_backup=None)
REFUSAL = (
    "mrr_fact_sales: 49 of 49 mirrored rows are gone at the source, at most 0 may be deleted in 24"
    " hours; nothing was changed\nHINT: If they were really deleted, accept this once:"
    " --accept-deletes mrr_fact_sales=49"
)


def found(connection: Connection, nodes: set[str] | None = None) -> list[Finding]:
    with connection.cursor() as cursor:
        return find(cursor, Scope(TABLES, nodes), NEVER)


def told(connection: Connection, nodes: set[str] | None = None) -> list[tuple[str, str]]:
    return [finding.key for finding in found(connection, nodes)]


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
    log.add("run", "run", status, step, run="r1")
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


def test_what_nobody_mirrors_or_builds_any_more_is_not_told(upgraded: Connection, log: Log) -> None:
    log.add("extract", "mrr_dim_gone", "error", "no such table")
    log.add("dbt", "dwh_gone", "error", "no such column")
    assert told(upgraded, {"dwh_kept"}) == []


def test_node_that_may_be_gone_begins_no_incident_and_ends_none(checks: Checks, log: Log) -> None:
    """The nodes are not known if a file of the project has changed since the last run."""

    def subjects() -> list[str]:
        return [incident.finding.subject for incident in checks.check().open]

    log.add("dbt", "dwh_x", "error", "no such column")
    assert subjects() == ["dwh_x"]
    log.add("dbt", "dwh_gone", "error", "no such column")
    checks.scope = Scope(TABLES, None)
    assert subjects() == ["dwh_x"]
    checks.scope = Scope(TABLES, {"dwh_gone"})
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


def compared(query: Query, run: str, table: str, is_equal: bool) -> None:
    query(
        "insert into dwh.mirror_verification (run_id, table_name, compared_rows, is_equal,"
        " checked_from, checked_to, method) values (%s, %s, 7, %s, clock_timestamp(),"
        " clock_timestamp(), 'every row')",
        (run, table, is_equal),
    )


def test_table_that_differs_is_told_until_it_is_equal(
    upgraded: Connection, log: Log, query: Query
) -> None:
    compared(query, "r1", "mrr_fact_sales", True)
    compared(query, "r2", "mrr_fact_sales", False)
    compared(query, "r3", "mrr_fact_sales", False)
    compared(query, "r3", "mrr_dim_gone", False)
    log.add("verify", "verify", "error", "mrr_fact_sales", run="r2")
    log.add("verify", "verify", "error", "mrr_fact_sales", run="r3")
    (finding,) = found(upgraded)
    assert finding.key == ("verification", "mrr_fact_sales")
    assert finding.problem == "of 7 rows that were compared, some differ\nrun: r3"
    assert finding.next_command == "python run.py verify --table mrr_fact_sales --repair"
    assert f"{finding.since:%H:%M:%S}" == "03:00:01"
    compared(query, "r4", "mrr_fact_sales", True)
    log.add("verify", "verify", "success", run="r4")
    assert found(upgraded) == []


def aged(query: Query, hours: int) -> None:
    """Let everything in the run log, and the first migration, be of so many hours ago."""
    query(f"update dwh.run_log set finished_at = now() - interval '{hours} h'")
    query(f"update mrr_state.applied_step set applied_at = now() - interval '{hours} h'")


@pytest.mark.parametrize(
    ("rule", "process", "limit"), [("backup", "backup", "no_backup"), ("no run", "run", "no_run")]
)
def test_what_is_missed_is_told_once_its_age_is_reached(
    checks: Checks, log: Log, query: Query, rule: str, process: str, limit: str
) -> None:
    def rules() -> list[tuple[str, str]]:
        return [
            (incident.finding.rule, incident.finding.problem) for incident in checks.check().open
        ]

    checks.late(**{limit: 26})
    assert rules() == []
    aged(query, 30)
    (missed,) = rules()
    assert missed == (rule, "none was ever made" if rule == "backup" else "none ever did")
    log.add(process, process, "success")
    aged(query, 25)
    assert rules() == []
    log.add(process, process, "error", "no room")
    aged(query, 27)
    (first, second) = rules()
    assert first[0] == "run"
    assert second[0] == rule
    assert second[1].endswith(" 27 h ago")


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
