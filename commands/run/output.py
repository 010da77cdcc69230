"""What a run says: a line for what is done, the summary at its end, and what failed."""

from collections import Counter
from collections.abc import Iterable

from commands.run.work import RunResult
from commands.tables import PlainTable
from extract.extraction import TableOutcome
from warehouse.build import Node

ALL_SHOWN = 50
"""Of more tables the summary shows those that changed or failed."""


def line_of_table(outcome: TableOutcome) -> str:
    """A line for a table that the extract has done."""
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
    """The one table at the end of a run, failures last; of many tables, those with news."""
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
    for outcome in _with_news(result):
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
    """How the table was read."""
    return outcome.reading.way.value if outcome.reading else "-"


def tables_not_shown(result: RunResult) -> str | None:
    """A line for the tables that the summary leaves out, None where it has all."""
    left_out = len(result.tables) - len(_with_news(result))
    return f"{left_out} more tables, unchanged and equal" if left_out else None


def _with_news(result: RunResult) -> list[TableOutcome]:
    """The tables that the summary shows: all of few; of many those that changed or failed."""
    failed = [outcome for outcome in result.tables if _is_wrong(outcome)]
    others = [outcome for outcome in result.tables if not _is_wrong(outcome)]
    if len(result.tables) > ALL_SHOWN:
        others = [o for o in others if o.applied.rows or _is_held_back(o, result)]
    return others + failed


def _is_wrong(outcome: TableOutcome) -> bool:
    return outcome.verification is None or not outcome.verification.is_equal


def _is_held_back(outcome: TableOutcome, result: RunResult) -> bool:
    """True where a model keeps the mark of this table, and not of all."""
    return bool(result.advanced) and outcome.name not in result.advanced


def last_line(result: RunResult) -> str:
    """What was applied and built, of how many moments the tables are, and how long it took."""
    built = "nothing built"
    if result.build:
        counts = Counter(node.status for node in result.build.nodes)
        built = ", ".join(f"{count} {status}" for status, count in sorted(counts.items())) or built
    return (
        f"run {result.run_id}  {result.rows_applied} rows applied{_moments(result)}  dbt: {built}"
        f"  {result.seconds:.1f} s"
    )


def _moments(result: RunResult) -> str:
    """How many of the tables are of one moment of the source; nothing where none says so."""
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


def failures(result: RunResult) -> Iterable[str]:
    """Each failure of a run, as its error text; that of a whole source once."""
    told = [outcome.error or outcome.warning for outcome in result.tables]
    yield from dict.fromkeys(str(one) for one in told if one)
    if result.build_error:
        yield str(result.build_error)
    if result.build:
        for node in result.build.failed + result.build.failed_tests:
            message = " ".join(node.message.split())
            yield (
                f"{node.name}: {node.status}: {message}\n"
                f"HINT: `dbt build --select {node.name}` shows it alone."
            )
