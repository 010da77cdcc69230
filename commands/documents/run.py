"""The document of a run."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

from commands.documents.document import Failure
from commands.documents.publish import PublishTable, published
from commands.run.result import RunResult
from extract.extraction import TableOutcome
from extract.reading import Way


@dataclass(frozen=True)
class RunTable:
    """What a run did with a table; the counts are null if it failed."""

    table: Annotated[str, "name in `mrr`"]
    way: Annotated[Way | None, "what was read before the comparison; null if that is not known"]
    seconds: Annotated[float, "how long it took"]
    fetched_rows: Annotated[int | None, "rows whose values were transferred"]
    compared_rows: Annotated[int | None, "rows that were compared"]
    inserted_rows: Annotated[int | None, "rows that were inserted into the mirror"]
    updated_rows: Annotated[int | None, "rows that were updated there"]
    deleted_rows: Annotated[int | None, "rows that were deleted there"]
    late_rows: Annotated[int | None, "of these, rows that an earlier window should have had"]
    repaired_rows: Annotated[int | None, "of these, rows that the comparison applied"]
    excluded_rows: Annotated[int | None, "rows that were left out of the comparison"]
    source_rows: Annotated[int | None, "rows at the source"]
    mirror_rows: Annotated[int | None, "rows in the mirror"]
    is_equal: Annotated[bool | None, "whether what was compared is equal now"]
    checked_from: Annotated[datetime | None, "when the comparison began, by the source's clock"]
    checked_to: Annotated[datetime | None, "when it ended"]
    moment: Annotated[datetime | None, "the moment of the source that the mirror shows, if one"]
    is_mark_advanced: Annotated[bool, "whether all that depends on it was built"]
    error: Annotated[Failure | None, "why it failed"]
    warning: Annotated[Failure | None, "what should be looked at"]


@dataclass(frozen=True)
class RunNode:
    """A node that dbt built or tested, or skipped."""

    node: Annotated[str, "its name"]
    unique_id: Annotated[str, "dbt's id of it"]
    status: Annotated[str, "the word of dbt: `success`, `pass`, `warn`, `error`, `fail`, `skipped`"]
    seconds: Annotated[float, "how long it took"]
    message: Annotated[str, "what dbt says of it"]


@dataclass(frozen=True)
class RunDocument:
    """The result of a run."""

    run_id: Annotated[str, "its id, as in `dwh.run_log`"]
    scope: Annotated[str | None, "the options that left something out of it; null if none did"]
    started_at: Annotated[datetime, "when it started"]
    finished_at: Annotated[datetime, "when it ended"]
    seconds: Annotated[float, "how long it took"]
    applied_rows: Annotated[int, "rows that were inserted, updated or deleted in the mirror"]
    tables: Annotated[
        list[RunTable], "in the order of the declarations; without the source, those that failed"
    ]
    advanced_tables: Annotated[
        list[str], "tables whose marks advanced, by name; an earlier run may have read them"
    ]
    nodes: Annotated[list[RunNode], "in the order in which they ended; empty if none was built"]
    unchanged_nodes: Annotated[int | None, "nodes that were left alone, since nothing changed"]
    published: Annotated[
        list[PublishTable], "tables that were published; empty if the run does not publish"
    ]


def document(result: RunResult) -> RunDocument:
    """The result of a run that has just ended."""
    finished_at = datetime.now(UTC)
    built = result.build.nodes if result.build else ()
    nodes = [node for node in built if not node.is_hook]
    return RunDocument(
        result.run_id,
        result.scope,
        finished_at - timedelta(seconds=result.seconds),
        finished_at,
        result.seconds,
        result.rows_applied,
        [_table(one, one.name in result.advanced) for one in result.tables],
        sorted(result.advanced),
        [RunNode(one.name, one.unique_id, one.status, one.seconds, one.message) for one in nodes],
        result.left_alone.nodes if result.left_alone else None,
        published(result.published),
    )


def _table(outcome: TableOutcome, is_advanced: bool) -> RunTable:
    found = outcome.verification
    applied = found.applied if found else None
    return RunTable(
        table=outcome.name,
        way=outcome.reading.way if outcome.reading else None,
        seconds=outcome.seconds,
        fetched_rows=found.fetched_rows if found else None,
        compared_rows=found.compared_rows if found else None,
        inserted_rows=applied.inserted if applied else None,
        updated_rows=applied.updated if applied else None,
        deleted_rows=applied.deleted if applied else None,
        late_rows=found.late_rows if found else None,
        repaired_rows=found.repaired_rows if found else None,
        excluded_rows=found.excluded_rows if found else None,
        source_rows=found.source_rows if found else None,
        mirror_rows=found.mirror_rows if found else None,
        is_equal=found.is_equal if found else None,
        checked_from=found.checked_from if found else None,
        checked_to=found.checked_to if found else None,
        moment=found.moment if found else None,
        is_mark_advanced=is_advanced,
        error=Failure.of(outcome.error) if outcome.error else None,
        warning=Failure.of(outcome.warning) if outcome.warning else None,
    )
