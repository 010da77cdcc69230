"""The routines of `dwh`, called and broken; what of an error remains, and when."""

from collections.abc import Iterator
from contextlib import suppress

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from tests.support.dbt_warehouse import Warehouse
from warehouse.connection import connect, transaction

ERRORS = (
    "select procedure_name, error_code, split_part(context, chr(10), 1) from dwh.procedure_errors"
    " order by error_id"
)


def log(warehouse: Warehouse, step: str, days: int, rows: int = 1, status: str = "success") -> None:
    warehouse.query(
        "insert into dwh.run_log (run_id, process, step, status, started_at, finished_at,"
        " execution_seconds, rows_affected) select 'r', 'extract', %s, %s, at, at, 2, %s"
        " from (select now() - make_interval(days => %s) as at) as ended",
        *(step, status, rows, days),
    )


def totals(warehouse: Warehouse) -> list[tuple]:
    return warehouse.query(
        "select now()::date - ended_date, step, execution_count, failure_count,"
        " total_seconds::float, rows_affected from dwh.daily_step_total order by ended_date, step"
    )


@pytest.fixture
def logged(warehouse: Warehouse) -> Warehouse:
    """Three days of a run log: `huge` writes more rows in a day than a bigint can count."""
    warehouse.query("truncate dwh.run_log, dwh.procedure_errors, dwh.daily_step_total")
    for days in (2, 1):
        for _ in range(2):
            log(warehouse, "good", days)
            log(warehouse, "huge", days, 2**62 if days == 2 else 1)
        log(warehouse, "good", days, status="error")
        log(warehouse, "good", days, status="skipped")
        log(warehouse, "zero", days)
    log(warehouse, "good", 0)
    return warehouse


HUGE = ("dwh.refresh_daily_step_total", "22003")


def test_one_bad_total_does_not_stop_the_others(logged: Warehouse) -> None:
    logged.query("call dwh.refresh_daily_step_total()")
    assert totals(logged) == [
        (2, "good", 3, 1, 6.0, 3),
        (2, "zero", 1, 0, 2.0, 1),
        (1, "good", 3, 1, 6.0, 3),
        (1, "huge", 2, 0, 4.0, 2),
        (1, "zero", 1, 0, 2.0, 1),
    ]
    ((*error, item),) = logged.query(ERRORS)
    assert tuple(error) == HUGE
    assert item == logged.value("select now()::date - 2 || ' extract huge'")


def test_last_three_days_are_added_up_again_and_earlier_ones_if_they_are_named(
    logged: Warehouse,
) -> None:
    logged.query("call dwh.refresh_daily_step_total()")
    before = totals(logged)
    log(logged, "late", 3)
    log(logged, "late", 4)
    logged.query("update dwh.run_log set rows_affected = 5 where step = 'huge'")
    logged.query("call dwh.refresh_daily_step_total()")
    after = totals(logged)
    assert (3, "late", 1, 0, 2.0, 1) in after
    assert (2, "huge", 2, 0, 4.0, 10) in after
    assert len(after) == len(before) + 2
    logged.query("call dwh.refresh_daily_step_total((now() - interval '4 d')::date)")
    assert totals(logged) == [(4, "late", 1, 0, 2.0, 1), *after]


@pytest.mark.parametrize("since", ["'2000-01-01'", ""], ids=["named", "of a run"])
def test_sum_of_more_steps_than_the_log_still_has_stays(logged: Warehouse, since: str) -> None:
    logged.query("update dwh.run_log set rows_affected = 5 where step = 'huge'")
    logged.query("call dwh.refresh_daily_step_total()")
    before = totals(logged)
    logged.query("delete from dwh.run_log where step = 'huge' or status = 'error'")
    logged.query(f"call dwh.refresh_daily_step_total({since})")
    assert totals(logged) == before


def test_days_are_added_up_before_their_steps_are_purged(logged: Warehouse) -> None:
    for _ in range(2):
        log(logged, "old", 100)
    logged.query("call dwh.purge_logs()")
    assert (100, "old", 2, 0, 4.0, 2) in totals(logged)
    assert logged.value("select count(*) from dwh.run_log where step = 'old'") == 1


def test_a_day_that_goes_on_is_not_added_up(logged: Warehouse) -> None:
    logged.query("delete from dwh.run_log where started_at < now() - interval '12 h'")
    logged.query("call dwh.refresh_daily_step_total()")
    assert totals(logged) == []


def test_day_ends_in_utc_whatever_the_session_says(logged: Warehouse) -> None:
    logged.query("set timezone = 'Pacific/Kiritimati'")
    logged.query("call dwh.refresh_daily_step_total()")
    logged.query("set timezone = 'UTC'")
    assert {days for days, *_ in totals(logged)} == {1, 2}


def test_logs_are_purged_by_their_ages(logged: Warehouse) -> None:
    for days in (29, 31, 400, 800):
        log(logged, "old", days)
    ((result,),) = logged.query("call dwh.purge_logs('30 days', '1 year')")
    assert result["dwh.run_log"] == 3
    assert set(result) == {
        "dwh.run_log",
        "dwh.mirror_verification",
        "dwh.publication_verification",
        "dwh.procedure_errors",
        "dwh.alert_incident",
        "dwh.daily_step_total",
    }
    ((result,),) = logged.query("call dwh.purge_logs(p_steps_kept => '2 days', p_most_rows => 0)")
    assert set(result.values()) == {0}


def test_one_log_that_cannot_be_purged_does_not_stop_the_others(logged: Warehouse) -> None:
    for days in (100, 1):
        log(logged, "old", days)
    logged.query(
        "insert into dwh.alert_incident (rule_name, subject, problem, next_command, since,"
        " ended_at, end_told_at) select 'test', 's', 'p', 'c', at, at, at"
        " from (select now() - interval '91 d' as at) as old"
    )
    logged.query(
        "create function dwh.refuse() returns trigger language plpgsql as"
        " $$ begin raise exception 'kept for ever'; end $$"
    )
    logged.query(
        "create trigger refuse before delete on dwh.run_log"
        " for each row execute function dwh.refuse()"
    )
    ((result,),) = logged.query("call dwh.purge_logs()")
    assert result["dwh.run_log"] == "kept for ever"
    assert result["dwh.alert_incident"] == 1
    assert logged.query(ERRORS)[-1] == ("dwh.purge_logs", "P0001", "dwh.run_log")
    assert "kept for ever" in logged.connection.notices[-1]


@pytest.mark.parametrize("kept", ["'1 day'", "null", "'-3 days'"])
def test_age_that_the_delete_guard_needs_is_refused(logged: Warehouse, kept: str) -> None:
    log(logged, "old", 100)
    with pytest.raises(psycopg2.Error) as caught:
        logged.query(f"call dwh.purge_logs({kept})")
    assert caught.value.pgcode == "22023"
    assert caught.value.diag.message_hint == "Keep them for 2 days or longer."
    assert logged.value("select count(*) from dwh.run_log where step = 'old'") == 1


@pytest.fixture
def caller(logged: Warehouse) -> Iterator[Connection]:
    """A session of its own, in which the refresh meets an error each time."""
    connection = connect(logged.address)
    yield connection
    connection.close()


CALL = "call dwh.refresh_daily_step_total('2000-01-01')"


def errors_after(logged: Warehouse) -> int:
    return logged.value("select count(*) from dwh.procedure_errors")


def test_error_stays_where_the_call_commits(caller: Connection, logged: Warehouse) -> None:
    cursor = caller.cursor()
    cursor.execute(CALL)
    assert errors_after(logged) == 1
    with transaction(caller):
        cursor.execute(CALL)
    assert errors_after(logged) == 2


def test_error_is_lost_with_the_transaction_of_the_caller(
    caller: Connection, logged: Warehouse
) -> None:
    cursor = caller.cursor()
    with suppress(LookupError), transaction(caller):
        cursor.execute(CALL)
        cursor.execute("select count(*) from dwh.procedure_errors")
        assert cursor.fetchone() == (1,)
        raise LookupError
    assert errors_after(logged) == 0
    # the warning is not
    assert "dwh.refresh_daily_step_total: " in caller.notices[-1]


def test_error_is_lost_behind_a_savepoint_and_in_a_block_that_catches(
    caller: Connection, logged: Warehouse
) -> None:
    cursor = caller.cursor()
    with transaction(caller):
        cursor.execute("savepoint before")
        cursor.execute(CALL)
        cursor.execute("rollback to before")
    assert errors_after(logged) == 0
    cursor.execute(
        f"do $$ begin {CALL}; raise exception 'later'; exception when others then null; end $$"
    )
    assert errors_after(logged) == 0
    cursor.execute(f"do $$ begin {CALL}; exception when others then null; end $$")
    assert errors_after(logged) == 1


def test_error_that_may_not_be_written_is_a_warning_and_stops_nothing(logged: Warehouse) -> None:
    logged.query("create role writer")
    logged.query("grant writer to current_user with set true")
    logged.query("grant usage on schema dwh to writer")
    logged.query("grant select on dwh.run_log to writer")
    logged.query("grant select, insert, update on dwh.daily_step_total to writer")
    logged.query("set role writer")
    try:
        logged.query(CALL)
    finally:
        logged.query("reset role")
        logged.query("drop owned by writer")
        logged.query("drop role writer")
    assert len(totals(logged)) == 5
    assert errors_after(logged) == 0
    first, second = logged.connection.notices[-2:]
    assert "bigint out of range" in first
    assert "this error is not in dwh.procedure_errors: permission denied" in second


def customer(warehouse: Warehouse, key: int, at: str) -> tuple | None:
    rows = warehouse.query(
        f"select customer_name, country, was_valid from dwh.customer_as_of({key}, {at})"
    )
    assert len(rows) <= 1
    return rows[0] if rows else None


def test_customer_is_as_it_was_at_a_time(warehouse: Warehouse) -> None:
    (name, country) = warehouse.query(
        "select customer_name, country from dwh.dwh_dim_customers where customer_id = 1"
    )[0]
    for when, change in (("moved", {"country": "Atlantis"}), ("gone", None)):
        warehouse.query(f"create table public.{when} as select clock_timestamp() as at")
        if change:
            warehouse.update("mrr_dim_customers", 1, **change)
        else:
            warehouse.delete("mrr_dim_customers", 1)
        warehouse.dbt("snapshot", "--select", "dwh_history_customers")
        warehouse.dbt("run", "--select", "dwh_dim_customers")
    assert customer(warehouse, 1, "timestamptz '2000-01-01'") == (name, country, False)
    assert customer(warehouse, 1, "(select at from public.moved)") == (name, country, True)
    assert customer(warehouse, 1, "(select at from public.gone)") == (name, "Atlantis", True)
    assert customer(warehouse, 1, "clock_timestamp()") == (name, "Atlantis", False)
    assert customer(warehouse, 1, "'infinity'") == (name, "Atlantis", False)
    assert customer(warehouse, 1, "'-infinity'") == (name, country, False)
    assert customer(warehouse, 1, "null") is None
    assert customer(warehouse, 999_999, "now()") is None
    assert warehouse.query("select * from dwh.customer_as_of(null, now())") == []


def test_customer_of_a_sale_is_that_of_its_time(warehouse: Warehouse) -> None:
    assert warehouse.query(
        "select count(*), count(*) filter (where customer.customer_key is distinct from"
        " nullif(sales.customer_key, -1)) from dwh.dwh_fact_sales as sales"
        " left join lateral dwh.customer_as_of(sales.customer_id, sales.created_at) as customer"
        " on true"
    ) == [(30, 0)]
