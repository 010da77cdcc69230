"""The views over the control tables answer what docs/operations.md asks them."""

import re
from collections.abc import Callable

import pytest

from common.settings import DBT_PROJECT, PROJECT
from dashboard.trust import STALE
from tests.support.dbt_warehouse import Warehouse
from warehouse.connection import run_locks
from warehouse.marks import note_mirrored

PAGE = (PROJECT / "docs" / "operations.md").read_text(encoding="utf-8")
QUERIES = dict(re.findall(r"^## (.+?)\n[^#]*?```sql\n(.+?)```", PAGE, re.MULTILINE | re.DOTALL))
Log = Callable[..., None]


@pytest.fixture
def log(warehouse: Warehouse) -> Log:
    """Adds a step to the run log, which is empty before."""
    warehouse.query("truncate dwh.run_log, dwh.mirror_verification, dwh.high_water_mark")

    def add(
        run: str, process: str, step: str, hours: float, seconds: float | None = 1, **more: object
    ) -> None:
        row = {"status": "success", "rows_affected": None, "error_message": None, **more}
        warehouse.query(
            "insert into dwh.run_log (run_id, process, step, status, started_at, finished_at,"
            " execution_seconds, rows_affected, error_message, scope)"
            " select %s, %s, %s, %s, at, at + make_interval(secs => %s), %s, %s, %s, %s"
            " from (select now() - make_interval(secs => %s) as at) as begun",
            *(run, process, step, row["status"], seconds, seconds),
            *(row["rows_affected"], row["error_message"], row.get("scope"), hours * 3600),
        )

    return add


def marked(warehouse: Warehouse, table: str, hours: float, run: str = "r") -> None:
    warehouse.query(
        "insert into dwh.high_water_mark (table_name, read_at, run_id)"
        " values (%s, now() - make_interval(secs => %s), %s)",
        *(table, hours * 3600, run),
    )


def compared(
    warehouse: Warehouse, run: str, table: str, is_equal: bool = True, rows: int = 10
) -> None:
    warehouse.query(
        "insert into dwh.mirror_verification (run_id, table_name, is_equal, fetched_rows,"
        " compared_rows, checked_from, checked_to, method)"
        " values (%s, %s, %s, 2, %s, now(), now(), 'every row')",
        *(run, table, is_equal, rows),
    )


def ask(warehouse: Warehouse, question: str) -> list[tuple]:
    return warehouse.query(QUERIES[question])


def test_page_asks_each_question_once() -> None:
    assert list(QUERIES)[:6] == [
        "Did tonight's run work?",
        "What failed first?",
        "What was slower than usual?",
        "Which table is stale?",
        "How long until the mark is current?",
        "What does each table cost the source?",
    ]


def test_every_query_of_the_page_runs(warehouse: Warehouse) -> None:
    statements = re.findall(r"```sql\n(.+?)```", PAGE, re.DOTALL)
    assert len(statements) >= len(QUERIES)
    for statement in statements:
        warehouse.query(statement)


def test_last_run_is_told_with_what_was_wrong_in_it(warehouse: Warehouse, log: Log) -> None:
    log("r1", "run", "run", 30)
    log("r2", "run", "run", 3, 9.5, status="error", error_message="mrr_fact_sales")
    log("r2", "extract", "mrr_fact_sales", 2.9, status="error", error_message="gone")
    log("r2", "extract", "mrr_dim_products", 2.9, status="refused")
    log("r2", "extract", "mrr_dim_customers", 2.9, rows_affected=7)
    log("v", "verify", "verify", 1, status="error")
    compared(warehouse, "r2", "mrr_dim_customers", is_equal=False)
    ((run, status, _, seconds, rows, *counts, message),) = ask(warehouse, "Did tonight's run work?")
    assert (run, status, float(seconds), rows) == ("r2", "error", 9.5, 7)
    # failed, refused, different
    assert counts == [1, 1, 1]
    assert message == "mrr_fact_sales"


def test_first_failure_is_that_which_ended_first(warehouse: Warehouse, log: Log) -> None:
    log("r1", "extract", "mrr_dim_products", 30, status="error", error_message="of yesterday")
    log("r2", "run", "run", 3, 100, status="error", error_message="a, b")
    log("r2", "dbt", "dwh_fact_sales", 3, 50, status="skipped")
    log("r2", "dbt", "dwh_dim_dates", 3, 60, status="error", error_message="later")
    log("r2", "extract", "mrr_fact_sales", 3, 30, status="error", error_message="first")
    ((process, step, _, message),) = ask(warehouse, "What failed first?")
    assert (process, step, message) == ("extract", "mrr_fact_sales", "first")
    # what failed long ago is not what failed tonight
    log("r3", "run", "run", 1)
    assert ask(warehouse, "What failed first?") == []


def test_step_is_slower_by_what_is_usual_for_it(warehouse: Warehouse, log: Log) -> None:
    for number, hours in enumerate(range(160, 10, -24)):
        run = f"r{number}"
        # one of them was slow for once
        log(run, "dbt", "usually_slow", hours, 60 if number != 3 else 600)
        log(run, "dbt", "slower", hours, 4, rows_affected=10)
        log(run, "dbt", "twice_of_nothing", hours, 0.1)
        log(run, "run", "run", hours, 100)
    log("r", "dbt", "usually_slow", 1, 70)
    log("r", "dbt", "slower", 1, 9, rows_affected=1000)
    log("r", "dbt", "twice_of_nothing", 1, 0.5)
    log("r", "dbt", "new", 1, 500)
    # that it failed at once says nothing of how long it takes
    log("r", "dbt", "slower", 0.9, 0.1, status="error")
    log("at-work", "run", "run", 1, None, status="running")
    with run_locks(warehouse.address) as lock:
        assert lock.take("at-work")
        told = ask(warehouse, "What was slower than usual?")
    assert [(process, step) for process, step, *_ in told] == [("run", "run"), ("dbt", "slower")]
    (run, slower) = [[float(value or 0) for value in row[2:]] for row in told]
    assert 3600 <= run[0] < 3700 and run[1:] == [100, 0, 0]
    assert slower == [9, 4, 1000, 10]
    # one that was killed does not take longer and longer
    told = ask(warehouse, "What was slower than usual?")
    assert [step for _, step, *_ in told] == ["slower"]


def test_run_that_has_just_begun_does_not_hide_the_slow_one_before_it(
    warehouse: Warehouse, log: Log
) -> None:
    for hours in range(60, 10, -10):
        log(f"r{hours}", "run", "run", hours, 100)
    log("slow", "run", "run", 3, 900)
    log("begun", "run", "run", 0.01, None, status="running")
    with run_locks(warehouse.address) as lock:
        assert lock.take("begun")
        ((_, _, seconds, *_),) = ask(warehouse, "What was slower than usual?")
    assert seconds == 900


def test_run_of_a_table_is_another_step_than_one_of_all(warehouse: Warehouse, log: Log) -> None:
    for hours in range(60, 10, -10):
        log(f"t{hours}", "run", "run", hours, 2, scope="--table mrr_a")
        log(f"r{hours}", "run", "run", hours - 1, 100)
    log("r", "run", "run", 2, 110)
    assert ask(warehouse, "What was slower than usual?") == []
    log("t", "run", "run", 1, 60, scope="--table mrr_a")
    ((_, _, seconds, usual, *_),) = ask(warehouse, "What was slower than usual?")
    assert (seconds, usual) == (60, 2)


def test_run_is_killed_once_its_lock_is_gone(warehouse: Warehouse, log: Log) -> None:
    log("dead", "run", "run", 2, None, status="running", scope="--domain sales")
    log("dead", "extract", "mrr_a", 1.5, 60)
    log("at-work", "run", "run", 1, None, status="running")
    log("task", "airflow", "sales.stg", 1)
    with run_locks(warehouse.address) as lock:
        assert lock.take("at-work")
        assert warehouse.query(
            "select run_id, kind, status, scope from dwh.dwh_operations_runs order by run_id"
        ) == [
            ("at-work", "run", "running", None),
            ("dead", "run", "killed", "--domain sales"),
            ("task", "airflow", None, None),
        ]


def test_step_needs_executions_to_be_usual(warehouse: Warehouse, log: Log) -> None:
    def is_slower() -> bool:
        return warehouse.value(
            "select is_slower from dwh.dwh_operations_step_times where step = 'node'"
        )

    for number in range(5):
        log(f"r{number}", "dbt", "node", 50 - number, 1)
        assert not is_slower()
    # the fifth before it
    log("r6", "dbt", "node", 1, 30)
    assert is_slower()
    # a month ago is another time
    warehouse.query("update dwh.run_log set started_at = started_at - interval '31 d'")
    assert ask(warehouse, "What was slower than usual?") == []


def test_slowest_nodes_are_those_of_dbt(warehouse: Warehouse, log: Log) -> None:
    log("r1", "dbt", "a", 30, 2)
    log("r2", "dbt", "a", 3, 4)
    log("r2", "dbt", "b", 3, 1)
    log("r2", "extract", "mrr_fact_sales", 3, 50)
    assert warehouse.query(
        "select slowness_rank, step, build_count, average_seconds::float, longest_seconds::float"
        " from dwh.dwh_operations_slowest_nodes order by 1"
    ) == [(1, "a", 2, 3.0, 4.0), (2, "b", 1, 1.0, 1.0)]


def test_table_is_stale_after_a_day_and_two_hours(warehouse: Warehouse, log: Log) -> None:
    for table, hours in {"mrr_a": 25.9, "mrr_b": 26.1, "mrr_c": 50}.items():
        marked(warehouse, table, hours)
    compared(warehouse, "r", "mrr_b", is_equal=False)
    told = ask(warehouse, "Which table is stale?")
    assert [(table, is_equal) for table, _, _, is_equal, _ in told] == [
        ("mrr_c", None),
        ("mrr_b", False),
    ]


def test_dashboard_and_views_agree_on_what_is_stale() -> None:
    project = (DBT_PROJECT / "dbt_project.yml").read_text(encoding="utf-8")
    (hours,) = re.findall(r"\n  stale_after_hours: (\d+)\n", project)
    assert int(hours) * 3600 == STALE.total_seconds()


def test_mark_is_expected_as_runs_have_gone_on(warehouse: Warehouse, log: Log) -> None:
    runs = {"mrr_daily": "d3", "mrr_hourly": "h3", "mrr_once": "o", "mrr_never": "n"}
    for table, run in runs.items():
        marked(warehouse, table, 1, run)
    for number, hours in enumerate((73, 49, 25, 1)):
        log(f"d{number}", "run", "run", hours, 600)
        log(f"d{number}", "extract", "mrr_daily", hours, 5)
    for number, hours in enumerate((5, 4, 3, 2)):
        log(f"h{number}", "run", "run", hours, 360)
        log(f"h{number}", "extract", "mrr_hourly", hours, 5)
    # what failed below it moved no mark
    log("h9", "run", "run", 1, 360, status="error")
    log("h9", "extract", "mrr_hourly", 1, 5)
    log("o", "run", "run", 1, 5)
    log("o", "extract", "mrr_once", 1, 5)
    told = {row[0]: row[2:] for row in ask(warehouse, "How long until the mark is current?")}
    assert list(told) == ["mrr_hourly", "mrr_daily", "mrr_never", "mrr_once"]
    interval, _, left = told["mrr_daily"]
    assert float(interval) == pytest.approx(24 * 3600, abs=1)
    assert left == pytest.approx(23 * 3600 + 600, abs=60)
    interval, _, left = told["mrr_hourly"]
    assert float(interval) == pytest.approx(3600, abs=1)
    # overdue
    assert left == pytest.approx(-3600 + 360, abs=60)
    assert told["mrr_once"] == told["mrr_never"] == (None, None, None)


@pytest.mark.parametrize("reader", ["--until mrr", "--table mrr_a --until mrr", "--until stg"])
def test_mark_is_not_expected_where_one_run_reads_and_another_builds(
    warehouse: Warehouse, log: Log, reader: str
) -> None:
    """The interval of those that read is not that of those that let the mark advance."""
    for number, hours in enumerate((4.75, 4.5, 4.25, 4, 0.75, 0.5)):
        log(f"r{number}", "run", "run", hours, 5, scope=reader)
        log(f"r{number}", "extract", "mrr_a", hours, 5)
    for number, hours in enumerate((73, 49, 25, 1)):
        log(f"b{number}", "run", "run", hours, 600, scope="--from stg")
    marked(warehouse, "mrr_a", 1, "b3")

    def expected() -> tuple:
        (row,) = ask(warehouse, "How long until the mark is current?")
        return row[2:]

    assert expected() == (None, None, None)
    # a run of everything, once, by hand
    log("w", "run", "run", 0.25, 60)
    log("w", "extract", "mrr_a", 0.25, 5)
    warehouse.query("update dwh.high_water_mark set run_id = 'w'")
    assert expected() == (None, None, None)
    # whose runs were the rule before
    for number, hours in enumerate((240, 216, 192, 168)):
        log(f"w{number}", "run", "run", hours, 60)
        log(f"w{number}", "extract", "mrr_a", hours, 5)
    assert expected() != (None, None, None)
    warehouse.query("update dwh.high_water_mark set run_id = 'b3'")
    assert expected() == (None, None, None)


def test_two_intervals_are_not_usual_yet(warehouse: Warehouse, log: Log) -> None:
    marked(warehouse, "mrr_a", 1, "r2")
    for number, hours in enumerate((49, 25, 1)):
        log(f"r{number}", "run", "run", hours, 600)
        log(f"r{number}", "extract", "mrr_a", hours, 5)
        # by hand, in between
        log(f"h{number}", "run", "run", hours - 0.5, 5, scope="--table mrr_a")
        log(f"h{number}", "extract", "mrr_a", hours - 0.5, 5)
    ((_, _, interval, *_),) = ask(warehouse, "How long until the mark is current?")
    assert interval is None
    log("r", "run", "run", 73, 600)
    log("r", "extract", "mrr_a", 73, 5)
    ((_, _, interval, *_),) = ask(warehouse, "How long until the mark is current?")
    assert float(interval) == pytest.approx(24 * 3600, abs=1)


def test_table_that_is_switched_off_is_neither_stale_nor_overdue(
    warehouse: Warehouse, log: Log
) -> None:
    for table in ("mrr_on", "mrr_off"):
        marked(warehouse, table, 50)
    note_mirrored(warehouse.connection, ["mrr_on"])
    for question in ("Which table is stale?", "How long until the mark is current?"):
        assert [row[0] for row in ask(warehouse, question)] == ["mrr_on"]
    note_mirrored(warehouse.connection, ["mrr_on", "mrr_off"])
    assert len(ask(warehouse, "Which table is stale?")) == 2


def test_cost_of_a_table_is_what_its_extractions_took(warehouse: Warehouse, log: Log) -> None:
    log("r0", "run", "run", 24 * 8)
    log("r0", "extract", "mrr_a", 24 * 8, 1000)
    compared(warehouse, "r0", "mrr_a", rows=1000)
    for run, hours in (("r1", 48), ("r2", 24)):
        log(run, "run", "run", hours)
        log(run, "extract", "mrr_a", hours, 3)
        compared(warehouse, run, "mrr_a")
    log("r2", "extract", "mrr_b", 24, 2, status="error")
    log("v", "verify", "verify", 1)
    compared(warehouse, "v", "mrr_a", rows=50)
    told = ask(warehouse, "What does each table cost the source?")
    assert [(row[0], row[1], *map(float, row[2:])) for row in told] == [
        ("mrr_a", 2, 6.0, 0.75, 6.0, 70.0),
        ("mrr_b", 1, 2.0, 0.25, 0.0, 0.0),
    ]
