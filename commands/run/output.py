"""What a run prints: a line for each table and node, the summary, and what failed."""

from collections import Counter
from collections.abc import Iterable

from commands.run.result import RunResult
from commands.tables import PlainTable
from common.errors import TidemarkError
from extract.extraction import TableOutcome
from warehouse.build import Node

ALL_SHOWN = 50
"""If there are more tables than this, the summary shows those that changed or failed."""


def line_of_table(outcome: TableOutcome) -> str:
    """A line for a table that was extracted, or failed."""
    if outcome.error:
        return f"{outcome.name}  failed  {outcome.seconds:.1f} s"
    return (
        f"{outcome.name}  {_fetched(outcome)} rows fetched, {outcome.applied.rows} applied"
        f"  {outcome.seconds:.1f} s"
    )


def _fetched(outcome: TableOutcome) -> int:
    return outcome.verification.fetched_rows if outcome.verification else outcome.rows_read


def line_of_node(node: Node) -> str:
    """A line for a node that dbt has built."""
    return f"{node.name}  {node.status}  {node.seconds:.1f} s"


def summary(result: RunResult) -> PlainTable:
    """The summary at the end of a run, with failures last."""
    table = PlainTable(
        "table",
        "read",
        "fetched",
        "compared",
        "inserted",
        "updated",
        "deleted",
        "rows",
        "equal",
        "mark",
    )
    for outcome in _shown(result):
        checked, applied = outcome.verification, outcome.applied
        if checked is None:
            table.add_texts(outcome.name, _way(outcome), *["-"] * 7, "kept")
            continue
        table.add_texts(
            outcome.name,
            _way(outcome),
            str(checked.fetched_rows),
            str(checked.compared_rows),
            str(applied.inserted),
            str(applied.updated),
            str(applied.deleted),
            str(checked.mirror_rows),
            "yes" if checked.is_equal else "no",
            "advanced" if outcome.name in result.advanced else "kept",
        )
    return table


def _way(outcome: TableOutcome) -> str:
    """How the table was read, in one word."""
    return outcome.reading.way.value if outcome.reading else "-"


def tables_not_shown(result: RunResult) -> str | None:
    """A line for the tables that the summary leaves out; None if it has them all."""
    left_out = len(result.tables) - len(_shown(result))
    return f"{left_out} more tables, unchanged and equal" if left_out else None


def _shown(result: RunResult) -> list[TableOutcome]:
    """The tables of the summary: all, or if they are many, those that changed or failed."""
    failed = [outcome for outcome in result.tables if _is_wrong(outcome)]
    others = [outcome for outcome in result.tables if not _is_wrong(outcome)]
    if len(result.tables) > ALL_SHOWN:
        others = [o for o in others if o.applied.rows or _is_held_back(o, result)]
    return others + failed


def _is_wrong(outcome: TableOutcome) -> bool:
    return outcome.verification is None or not outcome.verification.is_equal


def _is_held_back(outcome: TableOutcome, result: RunResult) -> bool:
    """True if the mark of this table was kept, but not the marks of all tables."""
    return bool(result.advanced) and outcome.name not in result.advanced


def last_line(result: RunResult) -> str:
    """What was applied and built, which tables show one moment, which marks advanced, how long."""
    built = "nothing built"
    if result.build:
        counts = Counter(node.status for node in result.build.nodes)
        parts = [f"{count} {status}" for status, count in sorted(counts.items())]
        if result.left_alone and result.left_alone.nodes:
            parts.append(f"unchanged: {result.left_alone}")
        built = ", ".join(parts) or built
    return (
        f"run {result.run_id}  {result.rows_applied} rows applied{_moments(result)}"
        f"{_collections(result)}{_marks(result)}  dbt: {built}{_published(result)}"
        f"  {result.seconds:.1f} s"
    )


def _published(result: RunResult) -> str:
    """How many tables were published, and rows sent; empty if a run does not publish."""
    if not result.published:
        return ""
    sent = sum(one.done.sent for one in result.published if one.done)
    return f"  {len(result.published)} tables published, {sent} rows sent"


def _collections(result: RunResult) -> str:
    """How many collections were imported from a server; empty if none was to be."""
    if not result.collections:
        return ""
    done = [one for one in result.collections if one.imported]
    return f"  {len(done)} of {len(result.collections)} collections imported"


def _marks(result: RunResult) -> str:
    """How many marks advanced of tables that this run did not read, so that no line has them."""
    advanced = set(result.advanced) - {outcome.name for outcome in result.tables}
    return f"  marks advanced: {len(advanced)}" if advanced else ""


def _moments(result: RunResult) -> str:
    """How many tables show the same moment of the source; empty if none claims a moment."""
    moments = [
        outcome.verification.moment
        for outcome in result.tables
        if outcome.verification and outcome.verification.moment
    ]
    if not moments:
        return ""
    if len(moments) == len(result.tables) and len(set(moments)) == 1:
        return "  all tables of one moment"
    ((_, tables),) = Counter(moments).most_common(1)
    return f"  {tables} of {len(result.tables)} tables of one moment"


def warnings(result: RunResult) -> list[str]:
    """What should be looked at, with a hint for each."""
    return [one.warning for one in result.tables if one.warning and not one.error]


def failures(result: RunResult) -> Iterable[TidemarkError | str]:
    """What failed in a run, with a hint for each; the failure of a whole source appears once."""
    yield from {str(error): error for error in result.failed.values()}.values()
    if result.build_error:
        yield result.build_error
    if result.publish_error:
        yield result.publish_error
    yield from (one.error for one in result.published if one.error)
    if result.build:
        for node in result.build.failed + result.build.failed_tests:
            lines = [line.rstrip() for line in node.message.splitlines() if line.strip()]
            message = "\n  ".join(line.removeprefix("  ") for line in lines)
            yield (
                f"{node.name}: {node.status}: {message}\n"
                f"HINT: Build it alone with `dbt build --select {node.name}`."
            )
