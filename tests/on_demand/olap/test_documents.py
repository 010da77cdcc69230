"""Documents in ClickHouse: from an export through validation to facts, the same on both sides."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import embedded
from publishing.publisher import Target
from tests.events.conftest import parsed, variables
from tests.mongodb.conftest import ENTRIES, FACT, Collection, sample
from tests.support.command_line import copy_of_project
from tests.support.published import PublishedWarehouse
from tests.support.servers import new_warehouse

OURS = {
    FACT: "document_key, coalesce(transaction_id, '-'), user_id::text,"
    " trim_scale(transaction_amount)::text, transaction_date::text,"
    " to_char(transaction_time at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'),"
    " failed_column_count::text",
    ENTRIES: "document_key, element_position::text, coalesce(entry_account, '-'),"
    " coalesce(trim_scale(entry_amount)::text, '-'), failed_column_count::text",
}
THEIRS = {
    FACT: "document_key, ifNull(transaction_id, '-'), toString(user_id),"
    " toString(transaction_amount), toString(transaction_date), toString(transaction_time),"
    " toString(failed_column_count)",
    ENTRIES: "document_key, toString(element_position), ifNull(entry_account, '-'),"
    " ifNull(toString(entry_amount), '-'), toString(failed_column_count)",
}
"""The same texts, asked of both sides."""
REJECTED = "stg_rejected_ewallet_transaction_documents"
BROKEN = (b'{"_id": 1, "transaction_id": ', b'{"_id": "x", "amount": "a"}', b"[]")


class PublishedDocuments(PublishedWarehouse, Collection):
    """A warehouse of documents, and a database of ClickHouse."""

    def check_equal(self, table: str) -> int:
        """See that a reader finds the same rows on both sides; returns how many."""
        ours = [list(row) for row in self.query(f"select {OURS[table]} from dwh.{table}")]
        theirs = self.target.client.rows(
            f"select {THEIRS[table]} from {self.target.place.database}.{table}"
        )
        assert sorted(ours) == sorted(theirs)
        return len(ours)


@pytest.fixture
def documents(
    servers: embedded.Servers, target: Target, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PublishedDocuments]:
    project: Path = copy_of_project(tmp_path_factory.mktemp("documents") / "project")
    with new_warehouse(servers) as address, pytest.MonkeyPatch.context() as patched:
        for name, value in variables(address, project, tmp_path_factory).items():
            patched.setenv(name, value)
        warehouse = PublishedDocuments(address, parsed())
        warehouse.target = target
        warehouse.make()
        yield warehouse
        warehouse.connection.close()


def test_facts_of_documents_follow_every_export(documents: PublishedDocuments) -> None:
    first = [sample(number) for number in range(1, 201)]
    failing = sample(201, updated_at="soon", entries=[{"account": 1, "amount": "much"}])
    other_month = sample(202, transaction_time={"$date": "2025-12-01T00:00:00Z"}, entries=[])
    imported = documents.bring([*first, failing, other_month, *BROKEN])
    documents.dbt("run", "--select", f"+{FACT} +{ENTRIES} {REJECTED}")
    for outcome in documents.publish_declared(FACT, ENTRIES):
        assert outcome.done and outcome.done.how == "loaded"
        assert all(one.is_equal for one in outcome.checked)
    rejected = documents.value(f"select count(*) from stg.{REJECTED}")
    facts = documents.check_equal(FACT)
    assert facts + rejected == imported.documents == 205
    assert facts == 202
    assert documents.check_equal(ENTRIES) == 401

    # the next export: one has changed, and one is gone
    changed = sample(1, amount={"$numberDecimal": "99.99"}, entries=[])
    documents.bring([changed, *first[2:], failing, other_month])
    documents.build()
    for outcome in documents.publish_declared(FACT, ENTRIES):
        assert outcome.done and outcome.done.how == "changed"
    assert documents.check_equal(FACT) == 201
    assert documents.check_equal(ENTRIES) == 397
    assert [one.done and one.done.how for one in documents.publish_declared(FACT, ENTRIES)] == [
        "unchanged",
        "unchanged",
    ]
