"""Whom change events name: what is given out of a person, and what an erasure leaves."""

import json
import time
from random import Random

import pytest

from events.event import EVENT_BYTES, Event, FilePlace
from events.landing import land
from extract.declarations.person_places import places_of_landed
from privacy.subject import rows_of_person
from tests.events.conftest import TABLE, EventWarehouse
from tests.events.samples import event, odd_json
from warehouse.landed_texts import LandedTexts
from warehouse.named_in_texts import NamedBy
from warehouse.persons import EVENT_TEXTS, PersonPlace, register

BROKEN = b'{"row": {"user_id": 7, and no more'
NAMED = (
    b'{"operation": "insert", "row": {"user_id": 7}}',
    b'{"row": {"user_id" : "007"}}',
    BROKEN,
    b'{"row": {"user_id": 7, "note": "\xff"}}',
    b'{"row": {"user\\u005fid": 7}}',
    b'{"row": {"user\\u005Fid": "\\u0037"}}',
    b'{"row": {"user_id": 7.0, "note": "\\ud83d"}}',
    b'{"row": {"user_id": 70e-1}}',
    b'{"row": {"user_id": 0.7E+1}}',
    b'{"row": {"user_id": " 7 "}}',
    b'{"row": {"user_id": 7, "user_id": 8}}',
    b'{"row": {"user_id": [8, {"id": 7}]}}',
    b'{"a": [{"b": {"user_id": 7}}]}',
    b'{"payload": "{\\"user_id\\": 7}"}',
    b'{"payload": "{\\u0022user_id\\u0022: \\u0037}"}',
    b'{"row": {"user\\u005fid": 0.7e1, and no more',
    b'{"payload": "{\\u0022user_id\\u0022: 7, and no more',
    b'{"payload": "{\\u0022payload\\u0022: \\u0022{\\\\u0022user_id\\\\u0022: 7}\\u0022}"}',
    b'{"payload": "merchant_id=8\\nuser_id=7\\n", and no more',
    b'{"a": "\\nuser_id": 7, and no more',
    b"{'row': {'user_id': 7}}",
    b'{"row": {"user_id": 007}}',
    b'{"row": {"user_id": 7',
    '{"row": {"user_id": 7}}'.encode("utf-16-le"),
    b'{"row": {"user_id": 7}}' + b" " * EVENT_BYTES,
)
OTHERS = (
    b'{"row": {"user_id": 71}}',
    b'{"row": {"user_id": 17, "merchant_id": 7}}',
    b'{"row": {"user_id": 7.5}}',
    b'{"row": {"user_id": 7e1}}',
    b'{"row": {"user_id": 7e400000, "other_user_id": 7, "user_id_2": 7}}',
    b'{"row": {"user_id": "7a", "note": "\\u0037 \\ud83d"}}',
    b'{"row": {"user\\u005fid": -7, "user_id": "\\ud83d\\u0000%s"}}',
    b'{"row": {"user_id": null}, "n": 1e999999}',
    b'{"row": {"user_id": 77, and no more',
    b'{"payload": "{\\u0022user_id\\u0022: \\u00227\\u0030\\u0022, and no more',
    b'{"payload": "super\\u002duser_id=8, \\u0061user_id=7", and no more',
    b'{"row": {"user_id": 70e1, and no more',
    b"[" * 5000 + b'{"user_id": 71}',
)


def place_of_events() -> PersonPlace:
    return next(place for place in places_of_landed() if place.name == TABLE)


def test_a_person_is_given_every_event_that_names_him_and_no_other(empty: EventWarehouse) -> None:
    empty.land([*NAMED, *OTHERS])
    with empty.connection.cursor() as cursor:
        (found,) = rows_of_person(cursor, [place_of_events()], "7", {})
    assert (found.relation, found.why) == (f"mrr.{TABLE}", "user_id")
    assert len(found.rows) == len(NAMED)
    assert set(found.personal) == {"event_text", "event_bytes"}


def test_an_erased_person_is_named_by_no_event_and_the_others_stay(empty: EventWarehouse) -> None:
    empty.land([*NAMED, *OTHERS])
    place = place_of_events()
    with empty.connection.cursor() as cursor:
        assert len(LandedTexts(cursor, place, EVENT_TEXTS).erase(["7"]).changed) == len(NAMED)
        (found,) = rows_of_person(cursor, [place], "7", {})
    assert found.rows == ()
    texts = {text for (text,) in empty.query(f"select event_text from mrr.{place.name}")}
    assert {one.decode() for one in OTHERS} < texts
    assert '{"row": {"user_id": -1, and no more' in texts
    assert empty.value(f"select count(*) from mrr.{place.name} where event_text = '(erased)'") == 4


def test_event_of_an_erased_person_names_nobody_once_it_has_landed(empty: EventWarehouse) -> None:
    place = place_of_events()
    with empty.connection.cursor() as cursor:
        register(cursor, place.subject, "7", [])
        events = (Event(raw, FilePlace("f", n)) for n, raw in enumerate([*NAMED, *OTHERS], 1))
        assert sum(land(empty.connection, place.name, events, "test", person=place)) > 0
        (found,) = rows_of_person(cursor, [place], "7", {})
        assert found.rows == ()
        cursor.execute("delete from mrr_state.forgotten_person")
    texts = {text for (text,) in empty.query(f"select event_text from mrr.{place.name}")}
    assert {one.decode() for one in OTHERS} < texts


def test_every_way_to_name_a_person_is_found_and_replaced(empty: EventWarehouse) -> None:
    chance = Random(20261128)
    texts = [odd_json(chance) for _ in range(1500)]
    texts += [text[: chance.randrange(len(text))] for text in texts[:500]]
    named_by, place = NamedBy("user_id", has_decimals=False), place_of_events()
    named = {number for number, text in enumerate(texts, 1) if "7" in named_by.keys(text)}
    assert 300 < len(named) < 1500
    empty.land([text.encode() for text in texts])
    with empty.connection.cursor() as cursor:
        condition = LandedTexts(cursor, place, EVENT_TEXTS).naming(["7"])
        numbers = f"select event_number from mrr.{place.name} where {condition}"
        assert {number for (number,) in empty.query(numbers)} == named
        assert len(LandedTexts(cursor, place, EVENT_TEXTS).erase(["7"]).changed) == len(named)
    left = empty.query(f"select event_text from mrr.{place.name} order by event_number")
    for number, (text, (after,)) in enumerate(zip(texts, left, strict=True), 1):
        assert "7" not in named_by.keys(after), text
        assert number in named or after == text
        assert is_json(after) is is_json(text), text


def is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def test_refused_event_is_still_refused_without_the_person(empty: EventWarehouse) -> None:
    """Or an erasure would change what `dwh` says of a transaction."""
    values: tuple[object, ...] = (7, "7", "007", 7.0, "7.0", " 7", [7], {"a": 7})
    events = [
        json.dumps(event(transaction_id=f"T{number}", user_id=value))
        for number, value in enumerate(values)
    ]
    events += [events[0].replace('"user_id": 7', f'"user_id": {one}') for one in ("07", "7e0")]
    events.append(events[0][:-1])
    place = place_of_events()
    empty.land([one.encode() for one in events])
    reasons = (
        "select event_number, rejection_reason is null"
        " from stg.stg_checked_ewallet_transaction_events order by 1"
    )
    before = empty.query(reasons)
    with empty.connection.cursor() as cursor:
        assert len(LandedTexts(cursor, place, EVENT_TEXTS).erase(["7"]).changed) == len(events)
    assert empty.query(reasons) == before
    assert [is_valid for _, is_valid in before].count(True) == 4


@pytest.mark.parametrize(
    "between", [" \\", "\\", "\\\\u0020"], ids=["spaced", "together", "escaped"]
)
def test_mebibyte_of_escapes_names_nobody(between: str) -> None:
    text = f"user_id{between * (EVENT_BYTES // len(between))}"
    assert "7" not in NamedBy("user_id", has_decimals=False).keys(text)


def test_keys_that_stand_deep_are_found_in_little_time() -> None:
    """By the work of the processor: each of them is handed up by no more than one function."""
    depth, count = 900, 50_000
    text = f'{{"user_id": {"[" * depth}{"7, " * count}7{"]" * depth}}}'
    started = time.process_time()
    assert NamedBy("user_id", has_decimals=False).keys(text) == {"7"}
    assert time.process_time() - started < 1
