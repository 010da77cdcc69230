"""A warehouse into which documents are imported, built by the real dbt."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

import embedded
from extract.declarations.person_places import places_of_landed
from mongodb.document import Document, document
from mongodb.importing import WHOLE, Choices, Imported, import_documents
from mongodb.tables import create_collection_tables
from tests.events.conftest import parsed, variables
from tests.support.command_line import copy_of_project
from tests.support.dbt_warehouse import Warehouse
from tests.support.servers import new_warehouse
from warehouse.persons import PersonPlace
from warehouse.upgrade import upgrade

TABLE = "mrr_fact_ewallet_transaction_documents"
FACT = "dwh_fact_ewallet_document_transactions"
ENTRIES = "dwh_fact_ewallet_document_entries"
MIRROR = (
    "transaction_id text primary key, user_id bigint, merchant_id bigint, amount numeric(10,2),"
    " status text, transaction_time timestamptz, updated_at timestamptz"
)
FAILURES = "dwh_mart_ewallet_document_failures"
BUILT = ("--select", f"{FACT} {ENTRIES} {FAILURES}")


def sample(number: int, **changed: Any) -> dict[str, Any]:
    """A document of a transaction, as mongoexport writes it."""
    return {
        "_id": {"$oid": f"{number:024x}"},
        "transaction_id": f"TX{number}",
        "user_id": {"$numberLong": str(number)},
        "merchant": {"id": 2},
        "amount": {"$numberDecimal": "10.50"},
        "status": "SUCCESS",
        "transaction_time": {"$date": "2026-01-31T10:14:58Z"},
        "updated_at": {"$date": {"$numberLong": "1769854500250"}},
        "entries": [
            {"account": "user", "amount": {"$numberDecimal": "-10.50"}},
            {"account": "merchant", "amount": {"$numberDecimal": "10.50"}},
        ],
    } | changed


def place_of_persons() -> PersonPlace:
    return next(place for place in places_of_landed() if place.name == TABLE)


class Collection(Warehouse):
    """A warehouse with a table of documents, and an empty mirror of the transactions."""

    def make(self) -> None:
        upgrade(self.connection)
        create_collection_tables(self.connection, [TABLE])
        self.query(f"create table mrr.mrr_fact_ewallet_transactions ({MIRROR})")

    def bring(
        self,
        documents: Iterable[dict[str, Any] | bytes],
        choices: Choices = WHOLE,
        file_name: str = "f",
        person: PersonPlace | None = None,
    ) -> Imported:
        """Import documents as the lines of a file."""
        texts = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in documents]
        found: list[Document] = [
            document(text, file_name, number) for number, text in enumerate(texts, start=1)
        ]
        place = person or place_of_persons()
        return import_documents(self.connection, TABLE, found, "test", place, choices)

    def keys(self) -> list[str]:
        """The keys of the documents that have one of their own."""
        rows = self.query(f"select document_key from mrr.{TABLE} where fault is null order by 1")
        return [key for (key,) in rows]

    def changes(self) -> list[tuple]:
        return self.query(
            "select operation, row_key ->> 'document_key' from mrr_state.change_log"
            " order by change_id"
        )

    def build(self, *options: str) -> None:
        self.dbt("run", *options, *BUILT)


@pytest.fixture(scope="session")
def documents_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_project(tmp_path_factory.mktemp("documents") / "project")


@pytest.fixture(scope="package")
def documents_warehouse(
    servers: embedded.Servers, documents_project: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Collection]:
    with new_warehouse(servers) as address, pytest.MonkeyPatch.context() as patched:
        for name, value in variables(address, documents_project, tmp_path_factory).items():
            patched.setenv(name, value)
        warehouse = Collection(address, parsed())
        warehouse.make()
        warehouse.dbt(
            "run",
            "--select",
            f"+dwh_mart_ewallet_document_differences source:ewallet.{TABLE}+",
        )
        yield warehouse
        warehouse.connection.close()


@pytest.fixture
def empty(documents_warehouse: Collection) -> Iterator[Collection]:
    """Without documents, and nothing built of any."""
    documents_warehouse.query(f"truncate mrr.{TABLE}, mrr.mrr_fact_ewallet_transactions")
    documents_warehouse.query(
        "truncate mrr_state.change_log, mrr_state.guard_candidate, mrr_state.accepted_deletes,"
        " dwh.mirror_verification"
    )
    yield documents_warehouse
