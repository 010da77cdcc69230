"""What is found in comparisons, and what is missed, and when it is found no more."""

import pytest
from psycopg2.extensions import connection as Connection

from alerts.findings import Scope
from alerts.settings import AlertSettings
from tests.alerts.conftest import TABLES, Checks, Log
from tests.alerts.finding import aged, compared, found, reached, told
from tests.support.servers import Query


def test_table_that_differs_is_told_until_it_is_equal(
    upgraded: Connection, log: Log, query: Query
) -> None:
    compared(query, "r1", "mrr_fact_sales", True)
    compared(query, "r2", "mrr_fact_sales", False)
    compared(query, "r3", "mrr_fact_sales", False)
    compared(query, "r3", "mrr_dim_gone", False)
    log.add("verify", "verify", "error", "mrr_fact_sales", run="r2", is_own=False)
    log.add("verify", "verify", "error", "mrr_fact_sales", run="r3", is_own=False)
    (finding,) = found(upgraded)
    assert finding.key == ("verification", "mrr_fact_sales")
    assert finding.problem == "of 7 rows that were compared, some differ\nrun: r3"
    assert finding.next_command == "python run.py verify --table mrr_fact_sales --repair"
    assert f"{finding.since:%H:%M:%S}" == "03:00:01"
    compared(query, "r4", "mrr_fact_sales", True)
    log.add("verify", "verify", "success", run="r4")
    assert found(upgraded) == []


def test_table_that_differs_is_not_over_by_a_comparison_of_other_rows(
    upgraded: Connection, query: Query
) -> None:
    differs = [("verification", "mrr_fact_sales")]
    for run, end in (("a", {"rows": 7}), ("b", {"rows": 2, "oldest": "clock_timestamp()"})):
        compared(query, f"{run}1", "mrr_fact_sales", False)
        compared(query, f"{run}2", "mrr_fact_sales", True, rows=0)
        compared(query, f"{run}3", "mrr_fact_sales", True, rows=3, oldest="now() - interval '1 d'")
        assert told(upgraded) == differs
        compared(query, f"{run}4", "mrr_fact_sales", True, **end)
        assert told(upgraded) == []


def test_clock_of_the_source_does_not_decide_which_comparison_is_the_last(
    upgraded: Connection, query: Query
) -> None:
    compared(query, "20261101T030000-aaaaaa", "mrr_fact_sales", True)
    query("update dwh.mirror_verification set checked_to = '2100-01-01'")
    compared(query, "20261102T030000-aaaaaa", "mrr_fact_sales", False)
    # by a machine whose clock was wrong
    compared(query, "21000101T000000-aaaaaa", "mrr_fact_sales", True)
    assert told(upgraded) == [("verification", "mrr_fact_sales")]


@pytest.mark.parametrize(
    ("rule", "process", "step", "limit"),
    [
        ("backup", "backup", "backup", "no_backup"),
        ("no run", "extract", "mrr_fact_sales", "no_run"),
    ],
)
def test_what_is_missed_is_told_once_its_age_is_reached(
    checks: Checks, log: Log, query: Query, rule: str, process: str, step: str, limit: str
) -> None:
    checks.scope = Scope({"mrr_fact_sales": "sales"}, None)

    def rules() -> list[tuple[str, str]]:
        return [
            (incident.finding.rule, incident.finding.problem) for incident in checks.check().open
        ]

    checks.late(**{limit: 26})
    assert rules() == []
    aged(query, 30)
    (missed,) = rules()
    assert missed == (rule, "none was ever made" if rule == "backup" else "none ever did")
    log.add(process, step, "success")
    aged(query, 25)
    assert rules() == []
    log.add(process, step, "error", "no room")
    aged(query, 27)
    (first, second) = rules()
    assert first[0] in ("run", "table")
    assert second[0] == rule
    assert second[1].endswith(" 27 h ago")


def test_domain_that_no_run_brings_up_to_date_is_told_though_others_are(
    upgraded: Connection, log: Log, query: Query
) -> None:
    def domains() -> list[tuple[str, str]]:
        missed = [one for one in found(upgraded, AlertSettings()) if one.rule == "no run"]
        return [(one.subject, one.next_command) for one in missed]

    for table in TABLES:
        log.add("extract", table, "success")
        reached(query, table)
    aged(query, 1)
    assert domains() == []
    # the run of one domain dies each night, and that of a table is for this table alone
    aged(query, 27, "where step in ('mrr_fact_sales', 'mrr_fact_visits')")
    log.add("extract", "mrr_fact_visits", "success")
    query("update dwh.run_log set finished_at = now(), started_at = now() where log_id = 4")
    assert domains() == [("sales", "python run.py --domain sales")]


def test_table_that_was_never_mirrored_may_be_a_new_one(
    upgraded: Connection, log: Log, query: Query
) -> None:
    log.add("extract", "mrr_fact_sales", "success")
    aged(query, 1)
    query("update mrr_state.applied_step set applied_at = now() - interval '99 h'")
    assert [one for one in found(upgraded, AlertSettings()) if one.rule == "no run"] == []


def test_table_that_is_read_and_does_not_reach_dwh_is_missed(
    upgraded: Connection, log: Log, query: Query
) -> None:
    """Whoever builds may be another one than who reads, and have stopped."""

    def missed() -> list[tuple[str, str]]:
        rules = found(upgraded, AlertSettings(no_backup=None))
        assert {one.rule for one in rules} <= {"no run"}
        return [(one.subject, one.problem) for one in rules]

    for table in TABLES:
        log.add("extract", table, "success", scope="--until mrr")
        reached(query, table)
    query("delete from dwh.high_water_mark where table_name = 'mrr_fact_visits'")
    aged(query, 25)
    assert missed() == []
    aged(query, 27)
    for table in TABLES:
        log.add("extract", table, "success", scope="--until mrr")
    query("update dwh.run_log set finished_at = now(), started_at = now() where log_id > 3")
    never = "mrr_fact_visits was first read 27 h ago, and dwh has not had everything of it yet"
    assert missed() == [("web", never)]
    reached(query, "mrr_dim_products", 28)
    last = "dwh last had everything of mrr_dim_products 28 h ago"
    assert missed() == [("sales", last), ("web", never)]
    # a clock was wrong when it advanced
    query("update dwh.high_water_mark set updated_at = '2100-01-01'")
    assert [subject for subject, _ in missed()] == ["sales", "web"]
    for table in TABLES:
        reached(query, table)
    assert missed() == []
