"""`verify`: compare every row of source and mirror, and test every row of the history."""

import argparse
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

from alerts import read_alert_settings
from commands.alert import checking_at_the_end
from commands.choice import accepted_deletes, chosen_tables, scope_of
from commands.endpoints import Endpoints, prepare_endpoints
from commands.options import add_accept_deletes, add_choice, add_json, add_quiet
from commands.progress import ProgressPrinter
from commands.publish import Publish, verifying_published
from commands.publish import as_table as table_of_published
from commands.sources import (
    SourceBusy,
    open_source_of,
    read_declarations,
    source_by_source,
    sources_of,
)
from commands.tables import PlainTable, show
from commands.telling import tell
from commands.working import Work, work_on_warehouse
from common.errors import DeletesRefused, ExitCode, TidemarkError, UsageError, code_of_refusals
from common.log import is_json
from common.settings import Settings, read_settings
from extract.declarations import MirroredTable
from extract.progress import Progress, ignore
from extract.verifying import VerifiedTable, verify_table
from publishing import publisher
from publishing.publisher import Outcome
from warehouse.build import Builder, Node
from warehouse.connection import connect
from warehouse.marks import read_marks
from warehouse.run_log import Step

TestHistory = Callable[[Endpoints, list[MirroredTable], str], list[Node]]
HISTORY_TESTS = ("open_rows_equal_relation", "periods_do_not_overlap")
EXAMPLES = """\
python run.py verify
python run.py verify --table mrr_fact_sales --repair"""


def add_options(parser: argparse.ArgumentParser) -> None:
    add_choice(parser)
    parser.add_argument("--repair", action="store_true", help="repair what differs")
    add_accept_deletes(parser)
    add_quiet(parser, "only what is wrong: no progress, no result of each table")
    add_json(parser)


def call(options: argparse.Namespace) -> int:
    if options.accept_deletes and not options.repair:
        raise UsageError(
            "--accept-deletes", "nothing is deleted without --repair", "Give both, or neither."
        )
    with checking_at_the_end(read_alert_settings()):
        settings = read_settings()
        tables = chosen_tables(read_declarations(settings), settings, options)
        return _verify(settings, tables, options)


def _verify(
    settings: Settings, tables: list[MirroredTable], options: argparse.Namespace
) -> ExitCode:
    accepted = accepted_deletes(options.accept_deletes, tables)
    endpoints = prepare_endpoints(settings, sources_of(tables))
    with ProgressPrinter(is_quiet=options.quiet or is_json()) as printer:
        result = verify_tables(
            endpoints,
            tables,
            options.repair,
            accepted,
            Report(lambda table: printer.print_line(progress_line(table)), printer.progress),
            Whole(scope_of(options), verify_history, verifying_published(settings, options)),
        )
    if not options.quiet and not options.json:
        show(as_table(result.tables))
        if result.published:
            show(table_of_published(result.published))
    told = [*failures(result.tables), *failures_of_history(result.failed_tests)]
    if result.history_error:
        told.append(result.history_error)
    told += [one.error for one in result.published if one.error]
    for failure in told:
        tell(failure)
    if options.json:
        _write_document(result, told)
    return result.exit_code


def _write_document(result: "VerifyResult", told: list[TidemarkError | str]) -> None:
    from commands.documents import verify as shape
    from commands.documents.document import Document, failures, write_document

    found = shape.document(result.tables, result.failed_tests, result.published)
    write_document(Document("verify", result.exit_code, found, failures(told)))


@dataclass(frozen=True)
class VerifyResult:
    """The result of verifying some tables, and of testing their history.

    `history_error` is set if the history could not be tested. `published` are the tables that were
    published before.
    """

    tables: list[VerifiedTable]
    failed_tests: list[Node] = field(default_factory=list)
    history_error: TidemarkError | None = None
    published: list[Outcome] = field(default_factory=list)

    @property
    def exit_code(self) -> ExitCode:
        if any(one.error for one in self.published):
            return ExitCode.FAILED
        if self.failed_tests or self.history_error:
            return ExitCode.FAILED
        errors = [table.error for table in self.tables if table.error]
        code = code_of_refusals(errors)
        if any(t.verification and not t.verification.is_equal for t in self.tables):
            return ExitCode.FAILED
        return code

    @property
    def failed(self) -> str | None:
        """What differs, failed or could not be compared, in a line; None if nothing did."""
        names = [t.name for t in self.tables if t.error]
        names += [t.name for t in self.tables if t.verification and not t.verification.is_equal]
        names += [test.name for test in self.failed_tests]
        names += [one.name for one in self.published if one.error]
        if self.history_error:
            names.append(self.history_error.problem)
        return ", ".join(names) or None


@dataclass(frozen=True)
class Report:
    """Functions that are called with each table that was compared, and each progress report."""

    table: Callable[[VerifiedTable], None] = lambda table: None
    progress: Callable[[Progress], None] = ignore


@dataclass(frozen=True)
class Whole:
    """What belongs to the command `verify` and not to the tables that it compares.

    `scope` are the options that restrict it to a part of its work, for the run log.
    """

    scope: str | None = None
    test_history: TestHistory = lambda endpoints, tables, run_id: []
    verify_published: Publish = lambda endpoints, work, report: []


def verify_tables(
    endpoints: Endpoints,
    tables: list[MirroredTable],
    repair: bool,
    accepted_deletes: dict[str, int],
    report: Report = Report(),
    whole: Whole = Whole(),
) -> VerifyResult:
    """Compare the tables, holding the locks of their sources, and test their history.

    Each table has a row in the run log, and each test. Raises AnotherRun and ServerError.
    """
    with work_on_warehouse(endpoints, "verify", sources_of(tables), scope=whole.scope) as work:

        def record(verified: VerifiedTable, started: float) -> VerifiedTable:
            seconds = time.monotonic() - started
            work.run_log.record("verify", verified.name, *_outcome(verified, seconds))
            report.table(verified)
            return verified

        def verify(of_source: list[MirroredTable]) -> list[VerifiedTable]:
            found = []
            options: dict[str, Any] = {
                "accepted_deletes": accepted_deletes,
                "report_progress": report.progress,
            }
            with open_source_of(of_source, endpoints, work, **options) as extraction:
                for table in of_source:
                    started = time.monotonic()
                    found.append(record(verify_table(extraction, table, repair), started))
            return found

        def stopped(table: MirroredTable, error: TidemarkError) -> VerifiedTable:
            return record(VerifiedTable(table.name, error=error), time.monotonic())

        compared = source_by_source(tables, verify, stopped, work.lock.check)
        result = _with_history(compared, lambda: whole.test_history(endpoints, tables, work.run_id))
        published = _published(endpoints, work, whole.verify_published, report)
        result = replace(result, published=published)
        return _logged(work.step, result)


def _published(endpoints: Endpoints, work: Work, verify: Publish, report: Report) -> list[Outcome]:
    """What was found of published tables; what was compared before is told though it failed."""
    try:
        return verify(endpoints, work, publisher.Report(progress=report.progress))
    except TidemarkError as error:
        return [Outcome("publish", error=error)]


def _logged(step: Step, result: VerifyResult) -> VerifyResult:
    statuses = {ExitCode.DONE: "success", ExitCode.REFUSED: "refused"}
    step.status = statuses.get(result.exit_code, "error")
    step.message = result.failed
    # all else that failed has a row of its own
    step.is_own_failure = result.history_error is not None
    return result


def _with_history(compared: list[VerifiedTable], test: Callable[[], list[Node]]) -> VerifyResult:
    """The result; what was compared is told though the history could not be tested."""
    try:
        return VerifyResult(compared, test())
    except TidemarkError as error:
        return VerifyResult(compared, history_error=error)


def _outcome(verified: VerifiedTable, seconds: float) -> tuple[str, float, int, str | None]:
    """How a table's row in the run log ends; a warning is that it differs."""
    error, found = verified.error, verified.verification
    if error:
        status = "refused" if isinstance(error, DeletesRefused) else "error"
        status = "skipped" if isinstance(error, SourceBusy) else status
        return status, seconds, 0, str(error)
    assert found is not None
    told = None if found.is_equal else f"{found.different_rows} rows differ"
    return "warning" if told else "success", seconds, found.applied.rows, told


def verify_history(endpoints: Endpoints, tables: list[MirroredTable], run_id: str) -> list[Node]:
    """Run the tests of the history over every row of what was built, and return those that failed.

    dbt logs them as steps of the run. Raises ServerError and DbtError.
    """
    with closing(connect(endpoints.loader)) as connection:
        built = read_marks(connection)
    select = [
        f"test_name:{test},source:{table.domain}.{table.name}+"
        for table in tables
        for test in HISTORY_TESTS
        if table.name in built
    ]
    if not select:
        return []
    how = endpoints.transformer, run_id, endpoints.demo_switch
    with closing(Builder(*how, every_row=True)) as builder:
        result = builder.test(select)
    return result.failed + result.failed_tests


def progress_line(table: VerifiedTable) -> str:
    """A line for a table that was compared, or could not be."""
    if table.verification is None:
        return f"{table.name}  not compared"
    found = table.verification
    return f"{table.name}  {found.compared_rows} rows compared, {found.different_rows} differ"


def as_table(tables: Iterable[VerifiedTable]) -> PlainTable:
    """What `verify` found, table by table."""
    shown = PlainTable("table", "source rows", "mirror rows", "different", "repaired", "equal")
    for verified in tables:
        found = verified.verification
        if found is None:
            shown.add_texts(verified.name, *["-"] * 4, "not compared")
            continue
        shown.add_texts(
            verified.name,
            str(found.source_rows),
            str(found.mirror_rows),
            str(found.different_rows),
            str(found.applied.rows),
            "yes" if found.is_equal else "no",
        )
    return shown


def failures(tables: Collection[VerifiedTable]) -> Iterable[TidemarkError | str]:
    """The errors of the tables and the differences of the mirror, with a hint for each."""
    yield from {str(table.error): table.error for table in tables if table.error}.values()
    for table in tables:
        if table.verification and table.verification.differences:
            keys = " ".join(table.verification.differences)
            repair = "Repair it with `python run.py verify --repair`."
            yield f"{table.name}: differs at {keys}\nHINT: {repair}"


def failures_of_history(tests: Iterable[Node]) -> Iterable[str]:
    """The tests of the history that failed, with a hint for each."""
    for node in tests:
        remedy = f"Run it alone with `dbt test --select {node.name}`."
        yield f"{node.name}: {node.status}: {node.message}\nHINT: {remedy}"
