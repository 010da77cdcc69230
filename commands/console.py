"""What the command line shows: results as tables, progress as lines."""

import re
from collections import Counter
from collections.abc import Iterable

from rich import box
from rich.table import Table
from rich.text import Text

from backup import Backup, Restored
from commands.doctor import Finding
from commands.plan import PlannedTable
from commands.progress import duration
from commands.run import RunResult
from commands.status import Status
from commands.verify import VerifiedTable
from extract.extraction import TableOutcome
from extract.reading import Way
from extract.windows import Window
from warehouse.build import Node

ALL_SHOWN = 50
"""Of more tables the summary shows those that changed or failed."""


def progress_of_table(outcome: TableOutcome) -> str:
    """A line for a table that the extract has done."""
    if outcome.error:
        return f"{outcome.name}  failed  {outcome.seconds:.1f} s"
    return (
        f"{outcome.name}  {_fetched(outcome)} rows fetched, {outcome.applied.rows} applied"
        f"  {outcome.seconds:.1f} s"
    )


def _fetched(outcome: TableOutcome) -> int:
    return outcome.verification.fetched_rows if outcome.verification else outcome.rows_read


def progress_of_node(node: Node) -> str:
    """A line for a node that dbt has built."""
    return f"{node.name}  {node.status}  {node.seconds:.1f} s"


def summary_of_run(result: RunResult) -> Table:
    """The one table at the end of a run, failures last; of many tables, those with news."""
    table = _table(
        "table",
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
            table.add_row(outcome.name, *["-"] * 7, "kept")
            continue
        table.add_row(
            outcome.name,
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


def last_line_of_run(result: RunResult) -> str:
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


def failures_of_run(result: RunResult) -> Iterable[str]:
    """Each failure of a run, as its error text."""
    for outcome in result.tables:
        if outcome.error or outcome.warning:
            yield str(outcome.error or outcome.warning)
    if result.build_error:
        yield str(result.build_error)
    if result.build:
        for node in result.build.failed + result.build.failed_tests:
            message = " ".join(node.message.split())
            yield (
                f"{node.name}: {node.status}: {message}\n"
                f"HINT: `dbt build --select {node.name}` shows it alone."
            )


def progress_of_verified(table: VerifiedTable) -> str:
    """A line for a table that was compared."""
    if table.verification is None:
        return f"{table.name}  not compared"
    found = table.verification
    return f"{table.name}  {found.compared_rows} rows compared, {found.different_rows} differ"


def table_of_verify(tables: Iterable[VerifiedTable]) -> Table:
    """What `verify` found, table by table."""
    shown = _table("table", "source rows", "mirror rows", "different", "repaired", "equal")
    for verified in tables:
        found = verified.verification
        if found is None:
            shown.add_row(verified.name, *["-"] * 4, "not compared")
            continue
        shown.add_row(
            verified.name,
            str(found.source_rows),
            str(found.mirror_rows),
            str(found.different_rows),
            str(found.applied.rows),
            "yes" if found.is_equal else "no",
        )
    return shown


def table_of_plan(tables: Iterable[PlannedTable]) -> Table:
    """What `plan` expects, table by table."""
    shown = _table("table", "source", "about rows", "reads", "compares")
    for planned in tables:
        if planned.window is None or planned.reading is None:
            reads, compares = planned.error.problem if planned.error else "-", "-"
        else:
            reads = _reads(planned, planned.window, planned.reading.way)
            compares = "every key, some rows" if planned.reading.compares_a_share else "every row"
        shown.add_row(planned.name, planned.source, str(planned.estimated_rows), reads, compares)
    return shown


def _reads(planned: PlannedTable, window: Window, way: Way) -> str:
    if way is Way.NOTHING:
        return "nothing beforehand; fetches what differs"
    if way is not Way.WINDOW:
        return "every row, in bulk" if way is Way.BULK else "every row"
    if window.start:
        return f"rows stamped since {window.start:%Y-%m-%d %H:%M:%S} UTC"
    return f"rows with {planned.cursor_column} from {window.bound} on"


def tables_of_status(status: Status) -> list[Table]:
    """Marks and last runs, on a line each in 80 columns; a run's id says when it started."""
    marks = _table("table", "high water mark", "lag", "rows", "equal")
    for table in status.tables:
        marks.add_row(
            table.name,
            # of a time, the second is enough here
            re.sub(r"(?<=:\d\d)\.\d+|\+00(:00)?$", "", table.high_water_mark or "-"),
            duration(table.lag_seconds),
            "-" if table.mirror_rows is None else str(table.mirror_rows),
            {True: "yes", False: "no", None: "-"}[table.is_equal],
        )
    runs = _table("run", "what", "status", "seconds", "rows")
    for run in status.runs:
        runs.add_row(
            run.run_id,
            run.process,
            run.status,
            "-" if run.seconds is None else f"{run.seconds:.1f}",
            "-" if run.rows is None else str(run.rows),
        )
    return [marks, runs]


def messages_of_status(status: Status) -> Iterable[str]:
    """What the last runs say of their failures and warnings."""
    for run in status.runs:
        if run.message:
            yield f"{run.run_id}  {run.message.splitlines()[0]}"


def table_of_findings(findings: Iterable[Finding]) -> Table:
    """What `doctor` saw, with the remedy beside what is wrong."""
    shown = _table("", "subject", "seen", "remedy")
    for finding in findings:
        mark = "ok" if finding.is_good else "!!"
        shown.add_row(mark, finding.subject, finding.seen, finding.remedy or "")
    return shown


def line_of_backup(done: Backup) -> str:
    """What was saved, and where."""
    megabytes = done.size / 1_000_000
    return (
        f"{done.path}  {done.tables} tables, {done.rows} rows, {megabytes:.1f} MB"
        f"  {done.seconds:.1f} s"
    )


def lines_of_restore(done: Restored) -> Iterable[str]:
    """What came back, and what else changed with it."""
    yield (
        f"{done.backup}  {', '.join(done.layers)}: {done.tables} tables, {done.rows} rows"
        f"  {done.seconds:.1f} s"
    )
    if done.marks_moved:
        yield f"marks moved back: {', '.join(done.marks_moved)}; the next run reads from there"
    if done.rebuild:
        yield "the next dbt build reads everything anew"
    if done.views_recreated:
        yield f"views made again: {', '.join(done.views_recreated)}"
    if done.roles_created:
        yield f"roles made without login: {', '.join(done.roles_created)}"


class PlainTable(Table):
    """A table whose cells are text, not rich's markup: a name may hold a bracket."""

    def add_row(self, *cells: str) -> None:
        super().add_row(*map(Text, cells))


def _table(*columns: str) -> Table:
    table = PlainTable(box=box.SIMPLE, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
