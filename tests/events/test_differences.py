"""What the events say and what the mirror says, side by side: each difference by its name."""

import pytest

from tests.events.conftest import DIFFERENCES, EventWarehouse
from tests.events.samples import ROW, event

TIMES = [f"2026-01-0{day}T00:00:00Z" for day in range(1, 10)]


def mirror(warehouse: EventWarehouse, key: str, updated_at: str, **change: object) -> None:
    row = {**ROW, "transaction_id": key, "updated_at": updated_at, **change}
    warehouse.query(
        "insert into mrr.mrr_fact_ewallet_transactions values (%s, %s, %s, %s, %s, %s, %s)",
        *row.values(),
    )


def say(key: str, at: str, operation: str = "insert", **change: object) -> dict:
    return event(operation, at, **{"transaction_id": key, "updated_at": at, **change})


def differences(warehouse: EventWarehouse) -> list[tuple]:
    warehouse.build_states()
    return warehouse.query(
        "select transaction_id, difference, event_value, mirror_value"
        f" from dwh.{DIFFERENCES} order by 1, 2"
    )


@pytest.fixture
def agreeing(empty: EventWarehouse) -> EventWarehouse:
    """With a first and a last transaction, in which both agree."""
    for key, at in (("A", TIMES[1]), ("Z", TIMES[7])):
        mirror(empty, key, at)
        empty.land([say(key, at)])
    return empty


def test_without_events_there_is_no_difference(empty: EventWarehouse) -> None:
    mirror(empty, "A", TIMES[1])
    assert differences(empty) == []


def test_what_both_have_alike_is_no_difference(agreeing: EventWarehouse) -> None:
    agreeing.land([say("B", TIMES[3]), say("B", TIMES[4], "delete")])
    # what the event does not say is not compared
    mirror(agreeing, "C", TIMES[3])
    agreeing.land(
        [say("C", TIMES[3]) | {"row": {**ROW, "transaction_id": "C", "updated_at": None}}]
    )
    assert differences(agreeing) == []


def test_each_difference_is_named_with_both_values(agreeing: EventWarehouse) -> None:
    agreeing.land(
        [say("B", TIMES[3]), say("C", TIMES[3], "delete"), say("E", TIMES[3], amount="2")]
    )
    mirror(agreeing, "C", TIMES[3])
    mirror(agreeing, "D", TIMES[3])
    mirror(agreeing, "E", TIMES[4], amount="1.00", status="FAILED")
    assert differences(agreeing) == [
        ("B", "only in the events", "B", None),
        ("C", "only in the mirror", None, "C"),
        ("D", "only in the mirror", None, "D"),
        ("E", "transaction_amount", "2.00", "1.00"),
        ("E", "transaction_status", "SUCCESS", "FAILED"),
        ("E", "updated_at", "2026-01-04 00:00:00+00", "2026-01-05 00:00:00+00"),
    ]
    agreeing.dbt("test", "--select", "assert_the_events_agree_with_the_mirror", succeeds=False)


def test_what_one_side_could_not_see_yet_is_no_difference(agreeing: EventWarehouse) -> None:
    # before the first event, after the last one, and after the last row of the mirror
    mirror(agreeing, "B", TIMES[0])
    agreeing.land([say("C", TIMES[8])])
    mirror(agreeing, "A2", TIMES[6])
    agreeing.land([say("A2", TIMES[6])])
    assert differences(agreeing) == []
