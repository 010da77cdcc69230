"""One row per transaction: the highest version wins, whatever comes when and how often."""

from random import Random

import pytest

from extract.declarations.person_places import places_of_landed
from tests.events.conftest import TABLE, EventWarehouse
from tests.events.samples import event, last_versions, random_events
from warehouse.connection import transaction
from warehouse.erasing import Erasure

ORDERS = 10


def expected(texts: list[bytes]) -> list[tuple]:
    return [(key, *state) for key, state in sorted(last_versions(texts).items())]


def found(warehouse: EventWarehouse) -> list[tuple]:
    return [
        (
            key,
            version.isoformat(),
            is_deleted,
            status or "",
            f"{amount}" if amount is not None else "",
            updated.isoformat() if updated else "",
        )
        for key, _, _, status, amount, is_deleted, version, _, updated in warehouse.states()
    ]


@pytest.mark.parametrize("seed", range(ORDERS))
def test_every_order_in_any_pieces_ends_with_the_same_rows(
    empty: EventWarehouse, seed: int
) -> None:
    texts = list(random_events(Random(20260101), 400))
    chance = Random(seed)
    chance.shuffle(texts)
    cuts = sorted(chance.sample(range(len(texts)), 2))
    for first, last in zip([0, *cuts], [*cuts, len(texts)], strict=True):
        # a replay of what has landed before
        again = chance.sample(texts[:first], first // 4)
        empty.land([*texts[first:last], *again])
        empty.build_states()
    assert found(empty) == expected(texts)
    incremental = empty.states()
    empty.build_states("--full-refresh")
    assert empty.states() == incremental
    rejected = empty.value("select count(*) from stg.stg_rejected_ewallet_transaction_events")
    valid = empty.value("select count(*) from stg.stg_fact_ewallet_transaction_events")
    assert rejected > 0
    assert valid + rejected == empty.value(f"select count(*) from mrr.{TABLE}")


def test_replay_writes_no_row(empty: EventWarehouse) -> None:
    empty.land([event(), event("delete", transaction_id="TX2")])
    empty.build_states()
    places = "select ctid::text, xmin::text, * from dwh.dwh_mart_ewallet_transaction_states"
    before = empty.query(places)
    empty.land([event(), event("delete", transaction_id="TX2")])
    empty.build_states()
    assert empty.query(places) == before


def test_older_insert_after_a_delete_does_not_bring_the_row_back(empty: EventWarehouse) -> None:
    empty.land([event("delete", "2026-01-02T00:00:00Z")])
    empty.build_states()
    empty.land([event("insert", "2026-01-01T00:00:00Z")])
    empty.build_states()
    assert empty.query("select * from dwh.dwh_mart_ewallet_event_transactions") == []
    empty.land([event("insert", "2026-01-03T00:00:00Z")])
    empty.build_states()
    assert empty.value("select count(*) from dwh.dwh_mart_ewallet_event_transactions") == 1


@pytest.mark.parametrize("erased", ["7", "9"])
def test_erased_user_of_an_event_that_ties_leaves_the_same_rows_as_a_full_refresh(
    empty: EventWarehouse, erased: str
) -> None:
    """Two events of one version differ in their users, and are in two landings."""
    orders = {"TX1": (7, 9), "TX2": (9, 7)}
    for number in range(2):
        empty.land(
            event(transaction_id=key, user_id=users[number]) for key, users in orders.items()
        )
        empty.build_states()
    assert [user for _, user, *_ in empty.states()] == [9, 9]
    place = next(place for place in places_of_landed() if place.name == TABLE)
    with transaction(empty.connection), empty.connection.cursor() as cursor:
        Erasure(cursor, "test").erase([place], {place.subject: [erased]})
    empty.build_states()
    incremental = empty.states()
    assert [user for _, user, *_ in incremental] == [-1, -1]
    empty.build_states("--full-refresh")
    assert empty.states() == incremental
