"""An import makes the mirror equal to the export, loses nothing, and logs what it changed."""

from random import Random
from typing import Any

import pytest

from common.errors import DeletesRefused
from mongodb.document import HAS_NUL, NOT_JSON, document
from mongodb.errors import RowsDiffer
from mongodb.importing import Choices, import_documents
from mongodb.landing import DUPLICATE
from tests.mongodb.conftest import TABLE, Collection, place_of_persons, sample
from warehouse.persons import register

PARTIAL = Choices(is_partial=True)
STATE = f"select xmin::text, * from mrr.{TABLE} order by document_key"


def key(number: int) -> str:
    return f'{{"$oid":"{number:024x}"}}'


def counts(warehouse: Collection) -> tuple[int, int]:
    (found,) = warehouse.query(f"select count(*), count(fault) from mrr.{TABLE}")
    return found


def test_first_import_is_one_entry_and_a_later_one_names_what_changed(empty: Collection) -> None:
    imported = empty.bring(sample(number) for number in range(1, 5))
    assert (imported.documents, imported.quarantined, imported.applied.inserted) == (4, 0, 4)
    assert empty.changes() == [("load", None)]
    empty.query("truncate mrr_state.change_log")
    imported = empty.bring([sample(1), sample(2, status="FAILED"), sample(3), sample(5)])
    applied = imported.applied
    assert (applied.inserted, applied.updated, applied.deleted, imported.unchanged) == (1, 1, 1, 2)
    assert sorted(empty.changes()) == sorted(
        [("update", key(2)), ("insert", key(5)), ("delete", key(4))]
    )


def test_same_export_again_changes_nothing_wherever_its_lines_stand(empty: Collection) -> None:
    documents: list[Any] = [sample(1), b'{"_id": 1', sample(2)]
    empty.bring(documents)
    before, changes = empty.query(STATE), empty.changes()
    assert empty.bring(documents).applied.rows == 0
    assert (empty.query(STATE), empty.changes()) == (before, changes)
    # the broken one stands in line 3 now; it is another line, and no document has changed
    empty.bring([sample(2), sample(1), b'{"_id": 1'])
    assert [row for row in empty.query(STATE) if row[-1] is None] == [
        row for row in before if row[-1] is None
    ]


@pytest.mark.parametrize("seed", range(5))
def test_mirror_has_what_the_export_has_whatever_it_had_before(
    empty: Collection, seed: int
) -> None:
    chance = Random(seed)
    for _ in range(4):
        numbers = chance.sample(range(1, 40), 25)
        documents: list[Any] = [
            sample(number, status=chance.choice(("SUCCESS", "FAILED"))) for number in numbers
        ]
        documents += [chance.choice(documents), b"{", b'{"a": 1}', b"[]", b"\xff"]
        chance.shuffle(documents)
        imported = empty.bring(documents)
        assert imported.quarantined == 5
        assert counts(empty) == (30, 5)
        assert empty.keys() == sorted(map(key, numbers))


def test_every_text_is_there_as_it_was(empty: Collection) -> None:
    texts = [
        *(b'{"_id" : 1.0}', b'{"_id":2,"a":"\\\\u0000\\n"}', b'{"_id":3,"a":"\\t\xc3\xa9"}'),
        *(b"\t{\\N", b"\\.", b"\xff\0", b'{"_id":4,"a":"\\u0000"}'),
    ]
    empty.bring(texts)
    rows = empty.query(
        f"select document_text, document_bytes, fault from mrr.{TABLE} order by line_number"
    )
    assert [text.encode() if text else bytes(data) for text, data, _ in rows] == texts
    assert [fault for *_, fault in rows][-1] == HAS_NUL


def test_first_of_two_documents_with_one_id_keeps_the_key(empty: Collection) -> None:
    empty.bring([sample(1), sample(1, status="FAILED"), sample(1)])
    rows = empty.query(
        f"select document_key like '(f:%%', fault, line_number from mrr.{TABLE} order by 3"
    )
    assert rows == [(False, None, 1), (True, DUPLICATE, 2), (True, DUPLICATE, 3)]


def test_equal_documents_without_an_id_in_one_place_are_both_there(empty: Collection) -> None:
    """As two elements of an array that stand in one line."""
    found = [document(text, "f", 1) for text in (b'{"a":1}', b'{"a":1}', b'{"a":2}')]
    for inserted in (3, 0):
        imported = import_documents(empty.connection, TABLE, found, "test")
        assert (imported.quarantined, imported.applied.rows) == (3, inserted)
    assert counts(empty) == (3, 3)


def test_quarantine_is_that_of_the_last_export(empty: Collection) -> None:
    empty.bring([sample(1), b"{", b"{"])
    assert counts(empty) == (3, 2)
    empty.bring([sample(1), b"{"])
    assert counts(empty) == (2, 1)
    # a file of some documents adds to it
    empty.bring([b"[", b"{"], PARTIAL, "g")
    assert counts(empty) == (4, 3)
    empty.bring([sample(1)])
    assert counts(empty) == (1, 0)


def test_document_that_becomes_unreadable_is_an_update(empty: Collection) -> None:
    empty.bring([sample(1), sample(2)])
    empty.query("truncate mrr_state.change_log")
    imported = empty.bring([sample(1, note="\0"), sample(2)])
    assert (imported.applied.updated, imported.quarantined) == (1, 1)
    assert empty.changes() == [("update", key(1))]


def test_fault_that_is_found_anew_in_the_same_text_is_an_update(empty: Collection) -> None:
    """As by a version that knows of one more."""
    empty.bring([sample(1, note="\0"), sample(2)])
    empty.query(f"update mrr.{TABLE} set fault = null")
    imported = empty.bring([sample(1, note="\0"), sample(2)])
    assert (imported.applied.updated, imported.quarantined) == (1, 1)
    assert counts(empty) == (2, 1)


def test_part_of_a_collection_deletes_nothing(empty: Collection) -> None:
    empty.bring(sample(number) for number in range(1, 4))
    imported = empty.bring([sample(2, status="FAILED"), sample(9)], PARTIAL)
    assert (imported.applied.inserted, imported.applied.updated) == (1, 1)
    assert empty.keys() == [key(1), key(2), key(3), key(9)]
    assert empty.bring([], PARTIAL).applied.rows == 0


@pytest.mark.parametrize("documents", [[], [b"{"], [b"{}", b"[]"]], ids=str)
def test_export_without_a_readable_document_deletes_none(
    empty: Collection, documents: list[bytes]
) -> None:
    empty.bring([sample(1)])
    with pytest.raises(DeletesRefused, match="at most 0 may"):
        empty.bring(documents)
    assert empty.keys() == [key(1)]


def test_empty_export_never_empties_the_collection(empty: Collection) -> None:
    empty.bring([sample(1)])
    before, changes = empty.query(STATE), empty.changes()
    with pytest.raises(DeletesRefused) as refused:
        empty.bring([])
    assert str(refused.value) == (
        f"{TABLE}: 1 of 1 mirrored rows are gone at the source, at most 0 may be deleted in 24"
        f" hours; nothing was changed\nHINT: If they were really deleted, accept this once:"
        f" --accept-deletes {TABLE}=1"
    )
    assert (empty.query(STATE), empty.changes()) == (before, changes)
    candidates = "select row_key::jsonb ->> 'document_key' from mrr_state.guard_candidate"
    assert empty.query(candidates) == [(key(1),)]
    empty.bring([], Choices(accepted=1))
    assert empty.keys() == []
    assert empty.query("select deletes from mrr_state.accepted_deletes") == [(1,)]
    assert empty.query(candidates) == []


def test_export_of_another_collection_is_refused_and_a_wrong_number_too(empty: Collection) -> None:
    empty.bring(sample(number) for number in range(1, 2_003))
    others = [sample(number) for number in range(5_000, 5_100)]
    for accepted in (None, 1, 2_003):
        with pytest.raises(DeletesRefused):
            empty.bring(others, Choices(accepted=accepted))
    assert len(empty.keys()) == 2_002
    empty.bring(others, Choices(accepted=2_002))
    assert len(empty.keys()) == 100


def test_deletes_of_a_day_count_together(empty: Collection) -> None:
    empty.bring(sample(number) for number in range(1, 2_003))
    empty.bring(sample(number) for number in range(1, 1_503))
    # each run has an id of its own, and the tests have one
    empty.query("update dwh.mirror_verification set run_id = 'earlier'")
    with pytest.raises(DeletesRefused, match="at most 500 may"):
        empty.bring(sample(number) for number in range(1, 1_002))


def test_version_of_the_mirror_is_another_only_after_a_change(empty: Collection) -> None:
    version = "select mirror_version from mrr_state.mirror_version where table_name = %s"
    empty.bring([sample(1)])
    before = empty.query(version, TABLE)
    empty.bring([sample(1)])
    assert empty.query(version, TABLE) == before
    empty.bring([sample(1), sample(2)])
    assert empty.query(version, TABLE) != before


def test_import_is_logged_as_a_comparison(empty: Collection) -> None:
    empty.bring([sample(1), b"{"])
    assert empty.query(
        "select source_rows, mirror_rows, inserted, compared_rows, is_equal, method"
        " from dwh.mirror_verification"
    ) == [(2, 2, 2, 2, True, "every document")]


def test_document_that_is_lost_on_the_way_is_noticed(empty: Collection) -> None:
    empty.query(
        f"create rule lost as on insert to mrr.{TABLE} where new.document_key = '{key(2)}'"
        " do instead nothing"
    )
    try:
        with pytest.raises(RowsDiffer, match="2 documents landed, and the mirror has 1"):
            empty.bring([sample(1), sample(2)])
    finally:
        empty.query(f"drop rule lost on mrr.{TABLE}")
    assert (empty.keys(), empty.changes()) == ([], [])


def test_nothing_is_imported_if_the_lock_is_lost(empty: Collection) -> None:
    def refuse() -> None:
        raise ValueError("lost")

    with pytest.raises(ValueError, match="lost"):
        empty.bring([sample(1)], Choices(check=refuse))
    assert (empty.keys(), empty.changes()) == ([], [])


def test_document_of_an_erased_person_names_nobody_when_it_is_imported(empty: Collection) -> None:
    with empty.connection.cursor() as cursor:
        register(cursor, place_of_persons().subject, "7", [])
    documents: list[Any] = [
        *(sample(7), sample(8, user_id=7), sample(9, user_id=71), b'{"user_id": 7, "x'),
        *(sample(10, user_id={"$numberDecimal": "7"}), sample(11, merchant={"id": 7})),
    ]
    empty.bring(documents)
    texts = empty.query(f"select document_text from mrr.{TABLE} order by line_number")
    named = [text.count('"-1"') + text.count(": -1") for (text,) in texts]
    assert named == [1, 1, 0, 1, 1, 0]
    changes = empty.changes()
    assert empty.bring(documents).applied.rows == 0
    assert empty.changes() == changes
    empty.query("delete from mrr_state.forgotten_person")


def test_fault_of_a_broken_line_is_told(empty: Collection) -> None:
    empty.bring([b"{"])
    assert empty.query(f"select document_key, fault, file_name, line_number from mrr.{TABLE}") == [
        ("(f:1:1 021fb596db81e6d0)", NOT_JSON, "f", 1)
    ]
