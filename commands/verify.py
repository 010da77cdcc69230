"""`verify`: compare source and mirror, every row, on demand; repair where asked."""

import argparse
import sys
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass

from commands.choice import accepted_deletes, chosen_tables
from commands.options import add_accept_deletes, add_choice, add_quiet
from commands.progress import Teller
from commands.servers import Connected, connect_servers
from commands.tables import PlainTable, show
from commands.working import Work, work_on_warehouse
from common.errors import DeletesRefused, ExitCode, TableError, TidemarkError, UsageError
from common.settings import read_settings
from extract.catalog import check_dropped, describe
from extract.declarations import MirroredTable, declared_tables
from extract.errors import DRIVER_ERRORS, as_table_error
from extract.extraction import LOCK_WAIT, check_unchanged
from extract.guard import note_accepted, note_candidates
from extract.identity import check_identity
from extract.mirror import MirrorTable
from extract.progress import Progress, ignore
from extract.reader import Reader
from extract.reconcile import compare_due, reconcile, verify
from extract.session import Session
from extract.verification import Verification, write_verification
from warehouse.build import Builder, Node
from warehouse.connection import connect, transaction
from warehouse.marks import read_marks

HISTORY_TESTS = ("open_rows_equal_mirror", "periods_do_not_overlap")
EXAMPLES = """\
python run.py verify
python run.py verify --table mrr_fact_sales --repair"""


def add_options(parser: argparse.ArgumentParser) -> None:
    add_choice(parser)
    parser.add_argument("--repair", action="store_true", help="make equal what differs")
    add_accept_deletes(parser)
    add_quiet(parser, "only what is wrong: no progress, no result of each table")


def call(options: argparse.Namespace) -> int:
    if options.accept_deletes and not options.repair:
        raise UsageError(
            "--accept-deletes", "nothing is deleted without --repair", "Give both, or neither."
        )
    settings = read_settings()
    tables = chosen_tables(declared_tables(), settings.demo_domains, options.domain, options.table)
    accepted = accepted_deletes(options.accept_deletes, tables)
    servers = connect_servers(settings)
    with Teller(is_quiet=options.quiet) as teller:
        result = verify_tables(
            servers,
            tables,
            options.repair,
            accepted,
            lambda table: teller.say(progress_line(table)),
            teller.progress,
        )
    if not options.quiet:
        show(as_table(result.tables))
    for failure in failures(result.tables):
        print(failure, file=sys.stderr)
    failed = verify_history(servers, tables)
    for failure in failures_of_history(failed):
        print(failure, file=sys.stderr)
    return ExitCode.FAILED if failed else result.exit_code


@dataclass(frozen=True)
class VerifiedTable:
    """What verifying a table came to."""

    name: str
    verification: Verification | None = None
    error: TidemarkError | None = None


@dataclass(frozen=True)
class VerifyResult:
    """What verifying some tables came to."""

    tables: list[VerifiedTable]

    @property
    def exit_code(self) -> ExitCode:
        errors = [table.error for table in self.tables if table.error]
        if any(not isinstance(error, DeletesRefused) for error in errors):
            return ExitCode.FAILED
        if any(t.verification and not t.verification.is_equal for t in self.tables):
            return ExitCode.FAILED
        return ExitCode.REFUSED if errors else ExitCode.DONE


def verify_tables(
    servers: Connected,
    tables: list[MirroredTable],
    repair: bool,
    accepted_deletes: dict[str, int],
    report: Callable[[VerifiedTable], None] = lambda table: None,
    progress: Callable[[Progress], None] = ignore,
) -> VerifyResult:
    """Compare the tables under the run's lock. Raises AnotherRun, and ServerError."""
    found = []
    with (
        work_on_warehouse(servers, "verify") as work,
        closing(Session(servers.operational, servers.duty)) as source,
    ):
        if not servers.source_is_embedded:
            check_identity(work.connection, source, tables, None)
        for table in tables:
            found.append(_verify_table(source, work, table, repair, accepted_deletes, progress))
            report(found[-1])
        result = VerifyResult(found)
        work.step.status = "success" if result.exit_code == ExitCode.DONE else "error"
    return result


def verify_history(servers: Connected, tables: list[MirroredTable]) -> list[Node]:
    """The tests of the history contract, over every row of what was built; those that failed.

    Raises ServerError and DbtError.
    """
    with closing(connect(servers.warehouse)) as connection:
        built = read_marks(connection)
    select = [
        f"test_name:{test},source:{table.domain}.{table.name}+"
        for table in tables
        for test in HISTORY_TESTS
        if table.name in built
    ]
    if not select:
        return []
    with closing(Builder(servers.warehouse)) as builder:
        result = builder.test(select)
    return result.failed + result.failed_tests


def _verify_table(
    source: Session,
    work: Work,
    declaration: MirroredTable,
    repair: bool,
    accepted_deletes: dict[str, int],
    progress: Callable[[Progress], None],
) -> VerifiedTable:
    name, connection, run_id = declaration.name, work.connection, work.run_id
    try:
        table = describe(source, declaration)
        reader, mirror = Reader(source, table), MirrorTable(table, run_id)
        reader.report = progress
        with transaction(connection), connection.cursor() as cursor:
            cursor.execute("set local lock_timeout = %s", (LOCK_WAIT,))
            if not mirror.exists(cursor):
                raise TableError(name, "not mirrored yet", "Start a run: python run.py")
            accepted = accepted_deletes.get(name)
            if repair:
                # only a run makes the views of stg again
                prepared = mirror.prepare(cursor, may_drop_views=False)
                check_dropped(source, table, mirror.vanished_names(cursor))
                verification = reconcile(
                    cursor, reader, mirror, prepared, accepted_deletes=accepted
                )
                if accepted == verification.applied.deleted:
                    note_accepted(cursor, name, accepted, run_id)
                note_candidates(connection, name, [], run_id)
            else:
                mirror.check_columns(cursor)
                verification = verify(cursor, reader, mirror)
            write_verification(cursor, verification, run_id)
            check_unchanged(source, table)
            work.lock.check()
        if repair:
            verification = compare_due(
                connection, reader, mirror, verification, work.lock.check, everything=True
            )
            check_unchanged(source, table)
    except DeletesRefused as refusal:
        note_candidates(connection, name, refusal.row_keys, run_id)
        return VerifiedTable(name, error=refusal)
    except DRIVER_ERRORS as error:
        return VerifiedTable(name, error=as_table_error(name, error))
    return VerifiedTable(name, verification)


def progress_line(table: VerifiedTable) -> str:
    """A line for a table that was compared."""
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


def failures(tables: Iterable[VerifiedTable]) -> Iterable[str]:
    """What is wrong with the mirror, each with its remedy."""
    for table in tables:
        if table.error:
            yield str(table.error)
        elif table.verification and table.verification.differences:
            keys = " ".join(table.verification.differences)
            repair = "`python run.py verify --repair` repairs it."
            yield f"{table.name}: differs at {keys}\nHINT: {repair}"


def failures_of_history(tests: Iterable[Node]) -> Iterable[str]:
    """What is wrong with the history, each with how to look at it."""
    for node in tests:
        remedy = f"`dbt test --select {node.name}` shows it alone."
        yield f"{node.name}: {node.status}: {node.message}\nHINT: {remedy}"
