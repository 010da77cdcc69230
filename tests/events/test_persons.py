"""Whom change events name: what is given out of a person, and what an erasure leaves."""

from extract.declarations.person_places import places_of_events
from privacy.subject import rows_of_person
from tests.events.conftest import EventWarehouse
from warehouse.event_texts import erase_events

BROKEN = b'{"row": {"user_id": 7, and no more'
NAMED = (
    b'{"operation": "insert", "row": {"user_id": 7}}',
    b'{"row": {"user_id" : "007"}}',
    BROKEN,
    b'{"row": {"user_id": 7, "note": "\xff"}}',
)
OTHERS = (b'{"row": {"user_id": 71}}', b'{"row": {"user_id": 17, "merchant_id": 7}}')


def test_a_person_is_given_every_event_that_names_him_and_no_other(empty: EventWarehouse) -> None:
    empty.land([*NAMED, *OTHERS])
    with empty.connection.cursor() as cursor:
        (found,) = rows_of_person(cursor, places_of_events(), "7", {})
    assert (found.relation, found.why) == (f"mrr.{places_of_events()[0].name}", "user_id")
    assert len(found.rows) == len(NAMED)
    assert set(found.personal) == {"event_text", "event_bytes"}


def test_an_erased_person_is_named_by_no_event_and_the_others_stay(empty: EventWarehouse) -> None:
    empty.land([*NAMED, *OTHERS])
    (place,) = places_of_events()
    with empty.connection.cursor() as cursor:
        assert len(erase_events(cursor, place, ["7"])) == len(NAMED)
        (found,) = rows_of_person(cursor, [place], "7", {})
    assert found.rows == ()
    texts = {text for (text,) in empty.query(f"select event_text from mrr.{place.name}")}
    assert {one.decode() for one in OTHERS} < texts
    assert '{"row": {"user_id": -1, and no more' in texts
