"""From documents to rows of `dwh`: what is built follows every import, and nothing is lost."""

from random import Random
from typing import Any

import pytest

from mongodb.importing import Choices
from tests.mongodb.conftest import ENTRIES, FACT, FAILURES, TABLE, Collection, sample

CHECKED = "stg.stg_checked_ewallet_transaction_documents"
REJECTED = "stg.stg_rejected_ewallet_transaction_documents"
DIFFERENCES = "dwh.dwh_mart_ewallet_document_differences"
ROWS = f"select * from dwh.{FACT} order by document_key"
ROWS_OF_ENTRIES = f"select * from dwh.{ENTRIES} order by document_key, element_position"


def random_document(chance: Random, number: int) -> dict[str, Any] | bytes:
    document = sample(
        number,
        status=chance.choice(("SUCCESS", "FAILED", "PENDING", "LOST")),
        user_id=chance.choice((number, {"$numberLong": str(number)}, None, "x")),
        updated_at=chance.choice(({"$date": {"$numberLong": "5"}}, "soon")),
    )
    document["entries"] = document["entries"][: chance.randrange(3)] + chance.choice(
        ([], [{"amount": "x"}], [7])
    )
    if chance.random() < 0.1:
        return b'{"_id": '
    return document


def test_increments_end_with_the_rows_of_a_full_build(empty: Collection) -> None:
    chance = Random(20260101)
    for _ in range(3):
        numbers = chance.sample(range(1, 60), 40)
        found = [random_document(chance, number) for number in numbers]
        empty.bring(found, Choices(accepted=None))
        empty.build()
        valid = empty.value(f"select count(*) from dwh.{FACT}")
        rejected = empty.value(f"select count(*) from {REJECTED}")
        assert 0 < valid < valid + rejected == len(found)
        assert rejected == empty.value(f"select count(*) from {CHECKED}") - valid
    built = empty.query(ROWS), empty.query(ROWS_OF_ENTRIES)
    empty.build("--full-refresh")
    assert (empty.query(ROWS), empty.query(ROWS_OF_ENTRIES)) == built
    assert len(built[1]) > len(built[0])


def test_elements_keep_their_positions_and_follow_their_document(empty: Collection) -> None:
    entries = [{"account": "a", "amount": 1}, {"account": "b", "amount": "y"}, {"account": 3}]
    empty.bring([sample(1, entries=entries), sample(2, entries=[]), sample(3, entries="none")])
    empty.build("--full-refresh")
    columns = "element_position, entry_account, entry_amount::text, failed_column_count"
    assert empty.query(f"select {columns} from dwh.{ENTRIES} order by 1") == [
        (1, "a", "1.00", 0),
        (2, "b", None, 1),
        (3, "3", None, 0),
    ]
    # what is no array is counted at the document
    failed = empty.query(f"select document_id, failed_columns from {CHECKED} order by 1")
    assert [columns for _, columns in failed] == [[], [], ["entries"]]
    empty.bring([sample(1, entries=entries[1:]), sample(2), sample(3, status="LOST")])
    empty.build()
    assert empty.query(
        f"select count(*)::int, min(entry_account), max(element_position) from dwh.{ENTRIES}"
        " group by document_key order by 1, 2"
    ) == [(2, "3", 2), (2, "merchant", 2)]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"status": "paid"}, "status is unknown"),
        ({"amount": {"$numberDecimal": "-1"}}, "amount is negative"),
        ({"amount": {"$numberDecimal": "NaN"}}, "amount is not finite"),
        ({"amount": 1.001}, "transaction_amount is missing, or not of type numeric(10,2)"),
        ({"user_id": None}, "user_id is missing, or not of type bigint"),
        ({"merchant": 7}, "merchant_id is missing, or not of type bigint"),
        ({"transaction_id": ""}, "transaction id is not a text of 1 to 20 characters"),
        ({"transaction_time": "now"}, "transaction_time is missing, or not of type timestamptz"),
        ({"x": "\0"}, "document has \\u0000, which PostgreSQL cannot hold"),
    ],
    ids=str,
)
def test_document_that_breaks_a_rule_is_set_aside_with_the_first_one(
    empty: Collection, changed: dict[str, Any], reason: str
) -> None:
    empty.bring([sample(1, **changed)])
    assert empty.query(f"select rejection_reason from {REJECTED}") == [(reason,)]


def test_failed_casts_are_counted_by_column(empty: Collection) -> None:
    empty.bring([sample(1, updated_at="x"), sample(2, updated_at="x", amount="x"), sample(3)])
    empty.build()
    assert empty.query(f"select * from dwh.{FAILURES} order by 1") == [
        ("transaction_amount", 1, 1),
        ("updated_at", 2, 1),
    ]


def mirror(warehouse: Collection, number: int, amount: str = "10.50") -> None:
    warehouse.query(
        "insert into mrr.mrr_fact_ewallet_transactions values (%s, %s, 2, %s, 'SUCCESS',"
        " '2026-01-31T10:14:58Z', '2026-01-31T10:15:00.250999Z')",
        f"TX{number}",
        number,
        amount,
    )


def test_documents_are_compared_with_the_mirror(empty: Collection) -> None:
    for number in (1, 2, 3):
        mirror(empty, number)
    empty.bring([sample(1), sample(2), sample(3)])
    empty.build("--full-refresh")
    assert empty.query(f"select * from {DIFFERENCES}") == []
    empty.query("delete from mrr.mrr_fact_ewallet_transactions")
    mirror(empty, 1, "11.00")
    mirror(empty, 2)
    mirror(empty, 4)
    found = f"select transaction_id, difference, document_value, mirror_value from {DIFFERENCES}"
    assert empty.query(f"{found} order by 1") == [
        ("TX1", "transaction_amount", "10.50", "11.00"),
        ("TX3", "only in the documents", "TX3", None),
        ("TX4", "only in the mirror", None, "TX4"),
    ]
    # the application has changed it since the export
    empty.query(
        "update mrr.mrr_fact_ewallet_transactions set updated_at = '2026-02-01Z'"
        " where transaction_id in ('TX1', 'TX4')"
    )
    assert [name for name, *_ in empty.query(found)] == ["TX3"]
    assert empty.value(f"select count(*) from mrr.{TABLE}") == 3
