"""The document of `publish`."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from commands.documents.document import Failure
from publishing.publisher import Outcome


@dataclass(frozen=True)
class PublishTable:
    """What was done with a table; if it failed, there is only how long it took, and the error."""

    table: Annotated[str, "name in `mrr` or `dwh`, and in ClickHouse"]
    seconds: Annotated[float, "how long it took"]
    how: Annotated[
        str | None, "`loaded`, `changed`, `compared`, `repaired`, or `unchanged` if left alone"
    ] = None
    sent_rows: Annotated[int | None, "rows that were sent to ClickHouse"] = None
    rows: Annotated[int | None, "rows of the table, as readers see them"] = None
    compared_rows: Annotated[int | None, "rows that were compared on both sides"] = None
    replaced_rows: Annotated[
        int | None, "rows that partitions had which differed, and were replaced"
    ] = None
    is_equal: Annotated[
        bool | None, "whether both sides are equal now; null if nothing was compared"
    ] = None
    error: Annotated[Failure | None, "why it was not published, or is not equal"] = None


@dataclass(frozen=True)
class PublishDocument:
    """What was published."""

    tables: Annotated[list[PublishTable], "in the order of the declarations; none with `--drop`"]
    not_declared: Annotated[
        list[str], "tables in ClickHouse that are not published any more, for `--drop`"
    ]


def document(outcomes: Iterable[Outcome], not_declared: list[str]) -> PublishDocument:
    """What was done with these tables, and which others were published before."""
    return PublishDocument(published(outcomes), not_declared)


def published(outcomes: Iterable[Outcome]) -> list[PublishTable]:
    """The tables of a document."""
    return [_table(one) for one in outcomes]


def _table(outcome: Outcome) -> PublishTable:
    done = outcome.done
    if done is None:
        error = Failure.of(outcome.error) if outcome.error else None
        return PublishTable(outcome.name, outcome.seconds, error=error)
    return PublishTable(
        outcome.name,
        outcome.seconds,
        done.how,
        done.sent,
        done.rows,
        sum(one.compared_rows for one in done.checked),
        outcome.replaced,
        all(one.is_equal for one in done.checked) if done.checked else None,
    )
