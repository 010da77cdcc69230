"""The document of `verify`."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from commands.documents.document import Failure
from commands.documents.publish import PublishTable, published
from extract.verifying import VerifiedTable
from publishing.publisher import Outcome
from warehouse.build import Node


@dataclass(frozen=True)
class VerifyTable:
    """The comparison of a table; everything but `table` and `error` is null if there was none."""

    table: Annotated[str, "name in `mrr`"]
    source_rows: Annotated[int | None, "rows at the source"] = None
    mirror_rows: Annotated[int | None, "rows in the mirror"] = None
    compared_rows: Annotated[int | None, "rows that were compared"] = None
    different_rows: Annotated[int | None, "rows that differed, or were on one side only"] = None
    repaired_rows: Annotated[int | None, "rows that `--repair` repaired"] = None
    is_equal: Annotated[bool | None, "whether both sides are equal now"] = None
    differences: Annotated[
        list[str] | None, "the first keys that differ, as texts of JSON objects"
    ] = None
    checked_from: Annotated[datetime | None, "when the comparison began, by the source's clock"] = (
        None
    )
    checked_to: Annotated[datetime | None, "when it ended"] = None
    error: Annotated[Failure | None, "why it was not compared"] = None


@dataclass(frozen=True)
class VerifyTest:
    """A test of the history that failed."""

    test: Annotated[str, "name of the test"]
    status: Annotated[str, "`fail`, or `error` if it could not be run"]
    message: Annotated[str, "what dbt says of it"]


@dataclass(frozen=True)
class VerifyDocument:
    """What was compared and tested."""

    tables: Annotated[list[VerifyTable], "in the order of the declarations"]
    failed_tests: Annotated[list[VerifyTest], "tests of the history"]
    published: Annotated[
        list[PublishTable], "tables that were published before, compared with ClickHouse"
    ]


def document(
    tables: Iterable[VerifiedTable], failed: Iterable[Node], outcomes: Iterable[Outcome]
) -> VerifyDocument:
    """These tables, the tests of the history that failed, and the tables that were published."""
    return VerifyDocument(
        [_table(one) for one in tables],
        [VerifyTest(node.name, node.status, node.message) for node in failed],
        published(outcomes),
    )


def _table(verified: VerifiedTable) -> VerifyTable:
    found = verified.verification
    error = Failure.of(verified.error) if verified.error else None
    if found is None:
        return VerifyTable(verified.name, error=error)
    return VerifyTable(
        verified.name,
        found.source_rows,
        found.mirror_rows,
        found.compared_rows,
        found.different_rows,
        found.applied.rows,
        found.is_equal,
        found.differences,
        found.checked_from,
        found.checked_to,
        error,
    )
