"""What grows has an age or a bound, and what is needed is not forgotten."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from psycopg2.extensions import connection as Connection

from common.settings import PROJECT, Address
from extract.compare.guard import allowed_deletes
from extract.limits import LIMITS
from tests.support.command_line import CommandLine
from tests.support.macros import Macros
from tests.support.servers import OperationalDatabase
from warehouse import retention
from warehouse.connection import connect
from warehouse.retention import forget_old
from warehouse.upgrade import upgrade

Query = Callable[..., list[tuple]]
PAGE = (PROJECT / "docs" / "architecture.md").read_text(encoding="utf-8")


ROUTINES = ("insert_procedure_error", "refresh_daily_step_total", "purge_logs")


@pytest.fixture
def connection(warehouse: Address) -> Iterator[Connection]:
    """A warehouse with the procedures that purge the logs, which dbt creates."""
    made = connect(warehouse)
    upgrade(made)
    macros = Macros(f"routines/{name}" for name in ROUTINES)
    with made.cursor() as cursor:
        for name in ROUTINES:
            cursor.execute(getattr(macros, name)())
    yield made
    made.close()


def run_id_of(days: float) -> str:
    """The id of a run of so many days ago."""
    return f"{datetime.now(UTC) - timedelta(days=days):%Y%m%dT%H%M%S}-abcdef"


def log_step(query: Query, process: str, step: str, days: float, status: str = "success") -> None:
    query(
        "insert into dwh.run_log (run_id, process, step, status, started_at, finished_at,"
        " execution_seconds, rows_affected) select %s, %s, %s, %s, at, at, 1.5, 10"
        " from (select now() - make_interval(secs => %s) as at) as ended",
        (run_id_of(days), process, step, status, days * 86400),
    )


def verified(query: Query, table: str, days: float, deleted: int = 0, clock: float = 0) -> None:
    """A comparison of so many days ago, at a source whose clock is so many days behind."""
    query(
        "insert into dwh.mirror_verification (run_id, table_name, deleted, is_equal, checked_from,"
        " checked_to, method) values (%s, %s, %s, true, now() - make_interval(secs => %s),"
        " now() - make_interval(secs => %s), 'every row')",
        (run_id_of(days), table, deleted, *[(days + clock) * 86400] * 2),
    )


def test_steps_are_kept_90_days_and_runs_two_years(connection: Connection, query: Query) -> None:
    for days in (1, 89, 91, 729, 731):
        log_step(query, "run", "run", days)
        log_step(query, "dbt", "dwh_fact_sales", days)
        log_step(query, "extract", "mrr_fact_sales", days, "error")
    assert forget_old(connection, []) == []
    kept = query(
        "select process, array_agg((now()::date - started_at::date) order by 1) from dwh.run_log"
        " group by 1 order by 1"
    )
    assert [(process, len(days)) for process, days in kept] == [
        ("dbt", 2),
        ("extract", 2),
        ("run", 4),
    ]


def test_logs_are_kept_as_long_as_is_set(connection: Connection, query: Query) -> None:
    for days in (1, 29, 31, 800, 1000):
        log_step(query, "run", "run", days)
        log_step(query, "dbt", "dwh_fact_sales", days)
    forget_old(connection, [], timedelta(days=30))
    assert query("select process, count(*) from dwh.run_log group by 1 order by 1") == [
        ("dbt", 2),
        ("run", 3),
    ]
    for days in (800, 1000):
        log_step(query, "dbt", "dwh_fact_sales", days)
    forget_old(connection, [], timedelta(days=900))
    assert query("select process, count(*) from dwh.run_log group by 1 order by 1") == [
        ("dbt", 3),
        ("run", 3),
    ]


def test_days_are_added_up_before_their_steps_go(connection: Connection, query: Query) -> None:
    for days in (1, 100, 100, 800):
        log_step(query, "extract", "mrr_fact_sales", days)
    for days in (100, 1):
        log_step(query, "extract", "mrr_fact_sales", days, "error")
    forget_old(connection, [])
    assert query("select count(*) from dwh.run_log") == [(2,)]
    assert query(
        "select now()::date - ended_date, execution_count, failure_count, total_seconds::float,"
        " rows_affected from dwh.daily_step_total order by ended_date"
    ) == [(100, 3, 1, 4.5, 30), (1, 2, 1, 3.0, 20)]


def test_last_success_and_last_failure_of_a_step_are_kept(
    connection: Connection, query: Query
) -> None:
    for days in (400, 300, 200):
        log_step(query, "backup", "verify", days)
        log_step(query, "extract", "mrr_gone", days, "error")
        log_step(query, "extract", "mrr_gone", days)
    log_step(query, "extract", "mrr_long_gone", 731)
    forget_old(connection, [])
    assert query(
        "select step, status, now()::date - started_at::date from dwh.run_log order by 1, 2"
    ) == [("mrr_gone", "error", 200), ("mrr_gone", "success", 200), ("verify", "success", 200)]


def test_incidents_are_kept_90_days_after_their_end(connection: Connection, query: Query) -> None:
    query(
        "insert into dwh.alert_incident (rule_name, subject, problem, next_command, since,"
        " ended_at, end_told_at) select 'test', 'one', 'p', 'c', now() - interval '1 year',"
        " now() - interval '1 d' * days, case when is_told then now() end"
        " from unnest(array[89, 91, 91, null], array[true, true, false, null]) as x (days, is_told)"
    )
    forget_old(connection, [])
    # of one that is over, the end has yet to be told
    assert query(
        "select count(*), count(ended_at), count(end_told_at) from dwh.alert_incident"
    ) == [(3, 2, 1)]


def test_warehouse_that_dbt_has_yet_to_build_keeps_its_logs(
    connection: Connection, query: Query
) -> None:
    query("drop procedure dwh.purge_logs")
    log_step(query, "dbt", "dwh_fact_sales", 91)
    assert forget_old(connection, []) == []
    assert query("select count(*) from dwh.run_log") == [(1,)]


def test_last_comparison_of_a_table_is_kept_however_old(
    connection: Connection, query: Query
) -> None:
    query("create table mrr.quiet (id int)")
    for days in (500, 400, 300):
        verified(query, "quiet", days)
    for days in (100, 91, 80, 0):
        verified(query, "busy", days)
    forget_old(connection, ["quiet", "busy"])
    assert query(
        "select table_name, count(*) from dwh.mirror_verification group by 1 order by 1"
    ) == [("busy", 2), ("quiet", 1)]


def test_last_comparison_that_differed_is_kept_since_it_may_still_be_wrong(
    connection: Connection, query: Query
) -> None:
    for days in (300, 200, 100, 0):
        verified(query, "items", days)
    query(
        "update dwh.mirror_verification set is_equal = false"
        " where checked_to < now() - interval '150 d'"
    )
    forget_old(connection, ["items"])
    assert query(
        "select is_equal, now()::date - checked_to::date from dwh.mirror_verification order by 2"
    ) == [(True, 0), (False, 200)]


def test_guard_remembers_a_day_by_a_clock_that_is_years_behind(
    connection: Connection, query: Query
) -> None:
    """The source says 2016: what it deleted an hour ago is not taken for ten years old."""
    behind = 3650
    for days in (0.01, 0.5):
        verified(query, "items", days, deleted=400, clock=behind)
    forget_old(connection, ["items"])

    class Mirror:
        name = "items"
        cursor = connection.cursor()
        limits = LIMITS

        def count(self) -> int:
            return 5000

    ((now,),) = query("select now() - make_interval(days => %s)", (behind,))
    assert allowed_deletes(Mirror(), source_is_empty=False, now=now) == 200


def test_accepted_deletes_stay_as_long_as_their_comparison(
    connection: Connection, query: Query
) -> None:
    run_id = run_id_of(100)
    for name in ("kept", "gone"):
        query(
            "insert into mrr_state.accepted_deletes (table_name, run_id, deletes, accepted_at)"
            f" values ('{name}', %s, 5, now() - interval '100 days')",
            (run_id,),
        )
    verified(query, "kept", 100)
    query("update dwh.mirror_verification set run_id = %s", (run_id,))
    forget_old(connection, ["kept", "gone"])
    assert query("select table_name from mrr_state.accepted_deletes") == [("kept",)]


def test_where_a_table_was_published_is_known_as_long_as_it_is_there(
    connection: Connection, query: Query
) -> None:
    for table, is_loaded in (("published", True), ("begun", False)):
        query(
            "insert into mrr_state.publication (table_name, target_name, storage_name, is_loaded,"
            " read_to, rows_version, updated_at)"
            " values (%s, 'embedded', 's', %s, -1, 1, now() - interval '91 days')",
            (table, is_loaded),
        )
    forget_old(connection, [])
    assert query("select table_name from mrr_state.publication") == [("published",)]


def test_caught_errors_are_kept_90_days(connection: Connection, query: Query) -> None:
    query(
        "insert into dwh.procedure_errors (procedure_name, error_code, error_message, occurred_at)"
        " select 'p', 'E', 'm', now() - make_interval(days => days) from unnest(array[89, 91]) days"
    )
    forget_old(connection, [])
    assert query("select count(*) from dwh.procedure_errors") == [(1,)]


def remember(query: Query, table: str) -> None:
    """Everything that is kept of a mirrored table beside its rows."""
    query(f"insert into dwh.high_water_mark values ('{table}', null, null, now(), 'r')")
    query(f"insert into mrr_state.key_range (table_name) values ('{table}')")
    query(f"insert into mrr_state.table_identity values ('{table}', 'x')")
    query(f"insert into mrr_state.guard_candidate values ('{table}', '1', 'r')")
    query(f"insert into dwh.mirror_anomaly values ('{table}', '1', 'c', null, null, 'r')")


def remembered(query: Query) -> dict[str, int]:
    """In how many places something is known of each table."""
    places = " union all ".join(
        f"select table_name from {name}" for name in retention.OF_DROPPED if "verif" not in name
    )
    return dict(query(f"select table_name, count(*) from ({places}) as known group by 1"))


def test_what_is_known_of_a_table_that_is_no_longer_declared_goes_in_time(
    connection: Connection, query: Query
) -> None:
    for table, days in {"declared": 200, "lately": 80, "long_ago": 100}.items():
        query(f"create table mrr.{table} (id int)")
        verified(query, table, days)
        remember(query, table)
    remember(query, "dropped")
    verified(query, "dropped", 1)
    remember(query, "declared_and_dropped")
    forget_old(connection, ["declared", "declared_and_dropped"])
    # the rows of a table stay, and with them what is said of them
    assert remembered(query) == {
        "declared": 5,
        "lately": 5,
        "long_ago": 1,
        "declared_and_dropped": 5,
    }
    assert query("select count(*) from dwh.mirror_verification where table_name = 'dropped'") == [
        (0,)
    ]


def test_nothing_of_a_table_is_forgotten_where_the_declarations_are_not_known(
    connection: Connection, query: Query
) -> None:
    remember(query, "dropped")
    forget_old(connection, None)
    assert remembered(query) == {"dropped": 5}


def test_a_run_forgets_so_many_rows_at_a_time(
    connection: Connection, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "ROWS_AT_A_TIME", 2)
    for _ in range(5):
        log_step(query, "dbt", "node", 91)
    log_step(query, "dbt", "node", 1)
    left = []
    for _ in range(3):
        forget_old(connection, [])
        left += query("select count(*) from dwh.run_log")
    assert left == [(4,), (2,), (1,)]


def test_role_that_may_not_delete_is_told_and_fails_nothing(
    connection: Connection, query: Query, warehouse: Address
) -> None:
    role = f"{warehouse.database}_writer"
    query(f"create role {role} login password 'x'")
    query(f"grant usage on schema dwh, mrr_state, mrr to {role}")
    query(f"grant select, insert, update on all tables in schema dwh, mrr_state to {role}")
    query(f"grant delete on dwh.procedure_errors to {role}")
    writer = connect(replace(warehouse, user=role, password="x"))
    warnings = forget_old(writer, [])
    writer.close()
    query(f"grant {role} to current_user")
    query(f"drop owned by {role}")
    query(f"drop role {role}")
    assert warnings[0] == (
        "dwh.run_log: old rows could not be deleted (permission denied for table run_log)\n"
        "HINT: Grant delete on dwh.run_log to the account of the warehouse, or it grows."
    )
    assert len(warnings) == 14
    assert {warning.partition(":")[0] for warning in warnings} == {
        *("dwh.run_log", "dwh.alert_incident", "dwh.daily_step_total"),
        "dwh.publication_verification",
        *retention.AGES,
        *retention.OF_DROPPED,
    }
    # what it could not do is noted, as far as it may
    assert query("select distinct procedure_name from dwh.procedure_errors") == [
        ("dwh.purge_logs",)
    ]


@pytest.mark.slow
def test_changes_are_not_kept_for_the_demo_once_it_is_switched_off(
    command_line: CommandLine, operational: OperationalDatabase, query: Query
) -> None:
    """And its models are right when it is switched on again."""
    operational.execute("create table items (id int primary key, name text)")
    operational.execute("insert into items values (1, 'one'), (2, 'two')")
    folder = command_line.folder / "dbt_project/models/mrr/shop"
    folder.mkdir()
    (folder / "_mrr_shop__sources.yml").write_text(
        "sources:\n  - name: shop\n    schema: mrr\n"
        f"    config: {{meta: {{operational_database: {operational.name}}}}}\n"
        "    tables:\n      - name: mrr_dim_shop_items\n"
        "        config: {meta: {operational_table: items, key: [id]}}\n",
        encoding="utf-8",
    )

    def done(**environment: str) -> None:
        ran = command_line.run(**environment, DBT_LOG_FILE_MAX_BYTES="20000")
        assert ran.returncode == 0, ran.stdout + ran.stderr

    done()
    facts = query("select * from dwh.dwh_fact_sales order by sale_id")
    (changed,), (deleted,), (broken,) = query(
        "select sale_id from dwh.dwh_fact_sales order by sale_id limit 3"
    )
    operational.execute("update items set name = 'changed'")
    done(DEMO_DOMAINS="off")
    assert query("select count(*) from mrr_state.change_log") == [(0,)]
    assert query("select count(*) from mrr_state.model_position") == [(0,)]
    # what happens to the mirror meanwhile is in no log
    query("update mrr.mrr_fact_sales set qty = qty + 1 where id = %s", (changed,))
    query("delete from mrr.mrr_fact_sales where id = %s", (deleted,))
    query("delete from mrr_state.change_log")
    query("update dwh.dwh_fact_sales set sale_quantity = 999 where sale_id = %s", (broken,))
    done()
    assert query("select * from dwh.dwh_fact_sales order by sale_id") == facts
    assert query("select min(built_to) > 0 from mrr_state.model_position") == [(True,)]
    logs = list((command_line.folder / "dbt_project" / "logs").glob("dbt.log*"))
    assert 1 < len(logs) <= 6
    assert all(file.stat().st_size < 40_000 for file in logs)


def test_page_of_the_architecture_tells_each_age() -> None:
    section = PAGE.split("\n## What is kept, and how long\n")[1].split("\n## ")[0]
    for name in {*retention.AGES, *retention.OF_DROPPED, "mrr_state.change_log"}:
        assert f"`{name}`" in section, name
    assert f"{retention.STEPS_KEPT.days} days" in section


def test_every_control_table_has_its_age(connection: Connection, query: Query) -> None:
    """A new one needs a line on that page, and somebody who thinks of what the line says."""
    section = PAGE.split("\n## What is kept, and how long\n")[1].split("\n## ")[0]
    tables = query(
        "select format('%I.%I', schemaname, tablename) from pg_tables"
        " where schemaname in ('dwh', 'mrr_state', 'mrr_forgotten')"
    )
    assert len(tables) > 15
    assert [name for (name,) in tables if f"`{name}`" not in section] == []
