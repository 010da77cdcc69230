"""Whom documents name: what is given out of a person, and what an erasure leaves."""

from dataclasses import replace

from privacy.subject import rows_of_person
from tests.mongodb.conftest import TABLE, Collection, place_of_persons, sample
from warehouse.erasing import Erasure
from warehouse.persons import register

BROKEN = b'{"_id": 3, "user_id": {"$numberLong": "7"}, and no more'
KEYS = {"ewallet_user": ["7"]}
TEXTS = f"select document_text from mrr.{TABLE} order by line_number"


def bring_some(warehouse: Collection) -> None:
    others = (sample(71), sample(5, merchant={"id": 7}))
    warehouse.bring([sample(7), sample(8, user_id=7), BROKEN, *others])
    warehouse.query("truncate mrr_state.change_log")


def test_person_is_given_every_document_that_names_him_and_no_other(empty: Collection) -> None:
    bring_some(empty)
    with empty.connection.cursor() as cursor:
        (found,) = rows_of_person(cursor, [place_of_persons()], "7", {})
    assert (found.relation, len(found.rows)) == (f"mrr.{TABLE}", 3)
    assert set(found.personal) == {"document_text", "document_bytes"}


def test_erased_person_is_named_by_no_document_and_the_others_stay(empty: Collection) -> None:
    bring_some(empty)
    before = [text for (text,) in empty.query(TEXTS)]
    assert BROKEN.decode() in before
    with empty.connection.cursor() as cursor:
        erased = Erasure(cursor, "test").erase([place_of_persons()], KEYS)
        assert [(one.relation, one.rows) for one in erased] == [
            (f"mrr.{TABLE}", 2),
            (f"mrr.{TABLE}", 1),
        ]
        (found,) = rows_of_person(cursor, [place_of_persons()], "7", {})
    assert found.rows == ()
    after = [text for (text,) in empty.query(TEXTS)]
    assert after[:2] == [
        before[0].replace('{"$numberLong": "7"}', '{"$numberLong": "-1"}'),
        before[1].replace('"user_id": 7', '"user_id": -1'),
    ]
    # the key of the broken one is made of its text, so it is deleted
    assert after[2:] == before[3:]
    assert [operation for operation, _ in empty.changes()] == ["load", "update", "update"]


def test_document_whose_id_names_the_person_is_deleted_with_what_is_noted(
    empty: Collection,
) -> None:
    compound = [sample(1, _id={"user_id": 7, "day": 1}), sample(2, _id={"user_id": 71, "day": 1})]
    empty.bring(compound)
    # entries of single documents
    empty.bring([{**one, "status": "FAILED"} for one in compound])
    with empty.connection.cursor() as cursor:
        erased = Erasure(cursor, "test").erase([place_of_persons()], KEYS)
        register(cursor, place_of_persons().subject, "7", [])
    assert [one.rows for one in erased if one.relation == f"mrr.{TABLE}"] == [1]
    assert empty.keys() == ['{"user_id":71,"day":1}']
    assert empty.changes()[-1] == ("load", None)
    assert not [noted for _, noted in empty.changes() if noted and "7," in noted]
    # a later import brings it back as a document of nobody
    # and stays so
    imported = empty.bring(compound)
    assert (imported.erased, empty.keys()) == (1, ['{"user_id":71,"day":1}'])
    empty.query("delete from mrr_state.forgotten_person")


def test_documents_that_are_the_person_are_deleted_and_stay_so(empty: Collection) -> None:
    place = replace(place_of_persons(), column="_id", erases_rows=True)
    documents = [sample(1, _id=7, user_id=1), sample(2, _id=71)]
    empty.bring(documents)
    with empty.connection.cursor() as cursor:
        Erasure(cursor, "test").erase([place], KEYS)
        assert empty.keys() == ["71"]
        # without the key of the person
        assert empty.changes()[-1] == ("load", None)
        register(cursor, place.subject, "7", [])
        imported = empty.bring(documents, person=place)
    assert (imported.documents, imported.erased, imported.applied.rows) == (2, 1, 0)
    assert empty.keys() == ["71"]
    empty.query("delete from mrr_state.forgotten_person")


ODD = (
    (b'{"_id": 1, "user\\u005fid": 7}', '{"_id": 1, "user_id": -1}'),
    (b'{"_id": 2, "user_id": 7.0}', '{"_id": 2, "user_id": -1}'),
    (
        b'{"_id": 3, "user_id": {"$numberDouble": "7.0"}}',
        '{"_id": 3, "user_id": {"$numberDouble": "-1"}}',
    ),
    (b'{"_id": 4, "user_id": [8, "007"]}', '{"_id": 4, "user_id": [8, "-1"]}'),
    (b'{"_id": 5, "user_id": {"$numberDouble": "7', '{"_id": 5, "user_id": {"$numberDouble": "-1'),
    (b'{"_id": 6, "user_id": 7, "note": "\xff"}', "(erased)"),
)
"""Documents that name the user 7, and what is left of them."""
WITH_ID = 4
"""So many of them have a usable `_id`."""


def test_person_is_found_however_a_document_writes_the_key(empty: Collection) -> None:
    empty.bring([text for text, _ in ODD] + [sample(77, user_id={"$numberDouble": "7.5"})])
    with empty.connection.cursor() as cursor:
        (found,) = rows_of_person(cursor, [place_of_persons()], "7", {})
        assert len(found.rows) == len(ODD)
        Erasure(cursor, "test").erase([place_of_persons()], KEYS)
    # of those without a usable `_id`, the key is made of the text
    assert [text for (text,) in empty.query(TEXTS)][:-1] == [left for _, left in ODD[:WITH_ID]]


def test_document_with_an_odd_key_names_nobody_once_it_is_imported(empty: Collection) -> None:
    documents = [text for text, _ in ODD]
    with empty.connection.cursor() as cursor:
        register(cursor, place_of_persons().subject, "7", [])
    empty.bring(documents)
    assert [text for (text,) in empty.query(TEXTS)] == [left for _, left in ODD]
    assert empty.bring(documents).applied.rows == 0
    empty.query("delete from mrr_state.forgotten_person")


def test_documents_with_a_text_for_a_key_are_deleted_with_what_is_noted(empty: Collection) -> None:
    place = replace(place_of_persons(), column="_id", erases_rows=True)
    ours = sample(7)
    key = ours["_id"]["$oid"]
    empty.bring([ours, sample(8)])
    # entries of single documents
    empty.bring([sample(7, status="FAILED"), sample(8, status="FAILED")])
    with empty.connection.cursor() as cursor:
        erased = Erasure(cursor, "test").erase([place], {place.subject: [key]})
    assert [one.rows for one in erased if one.relation == place.full_name] == [1]
    assert len(empty.keys()) == 1
    assert not [noted for _, noted in empty.changes() if noted and key in noted]


def test_key_of_a_broken_document_is_not_made_of_what_was_erased(empty: Collection) -> None:
    with empty.connection.cursor() as cursor:
        register(cursor, place_of_persons().subject, "7", [])
    empty.bring([BROKEN, BROKEN.replace(b'"7"', b'"71"')])
    erased, other = empty.query(f"select document_key from mrr.{TABLE} order by line_number")
    empty.bring([BROKEN.replace(b'"7"', b'"-1"')])
    assert erased in empty.query(f"select document_key from mrr.{TABLE}")
    assert other != erased
    empty.query("delete from mrr_state.forgotten_person")
