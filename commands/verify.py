"""`verify`: compare source and mirror, every row, on demand; repair where asked."""

from collections.abc import Callable
from dataclasses import dataclass

import psycopg2

from commands.failures import translated_errors
from commands.servers import Connected
from common.errors import DeletesRefused, ExitCode, TableError, TidemarkError
from common.log import start_logging
from extract.catalog import check_dropped, describe
from extract.declarations import MirroredTable
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
from warehouse.connection import RunLock, connect, run_lock, transaction
from warehouse.marks import read_marks
from warehouse.run_log import RunLog, new_run_id
from warehouse.upgrade import upgrade

HISTORY_TESTS = ("open_rows_equal_mirror", "periods_do_not_overlap")


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
    run_id = new_run_id()
    start_logging(run_id)
    with run_lock(servers.warehouse) as lock:
        connection = connect(servers.warehouse)
        upgrade(connection)
        run_log = RunLog(connection, run_id)
        run_log.close_abandoned()
        source = Session(servers.operational, servers.duty)
        found = []
        try:
            if not servers.source_is_embedded:
                check_identity(connection, source, tables, None)
            with run_log.step("verify", "verify") as step, translated_errors(servers):
                for table in tables:
                    found.append(
                        _verify_table(
                            source,
                            connection,
                            run_log,
                            lock,
                            table,
                            repair,
                            accepted_deletes,
                            progress,
                        )
                    )
                    report(found[-1])
                result = VerifyResult(found)
                step.status = "success" if result.exit_code == ExitCode.DONE else "error"
        finally:
            source.close()
            connection.close()
    return result


def verify_history(servers: Connected, tables: list[MirroredTable]) -> list[Node]:
    """The tests of the history contract, over every row of what was built; those that failed.

    Raises ServerError and DbtError.
    """
    connection = connect(servers.warehouse)
    built = read_marks(connection)
    connection.close()
    select = [
        f"test_name:{test},source:{table.domain}.{table.name}+"
        for table in tables
        for test in HISTORY_TESTS
        if table.name in built
    ]
    if not select:
        return []
    builder = Builder(servers.warehouse)
    try:
        result = builder.test(select)
    finally:
        builder.close()
    return result.failed + result.failed_tests


def _verify_table(
    source: Session,
    connection: psycopg2.extensions.connection,
    run_log: RunLog,
    lock: RunLock,
    declaration: MirroredTable,
    repair: bool,
    accepted_deletes: dict[str, int],
    progress: Callable[[Progress], None],
) -> VerifiedTable:
    name = declaration.name
    try:
        table = describe(source, declaration)
        reader, mirror = Reader(source, table), MirrorTable(table, run_log.run_id)
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
                    note_accepted(cursor, name, accepted, run_log.run_id)
                note_candidates(connection, name, [], run_log.run_id)
            else:
                mirror.check_columns(cursor)
                verification = verify(cursor, reader, mirror)
            write_verification(cursor, verification, run_log.run_id)
            check_unchanged(source, table)
            lock.check()
        if repair:
            verification = compare_due(
                connection, reader, mirror, verification, lock.check, everything=True
            )
            check_unchanged(source, table)
    except DeletesRefused as refusal:
        note_candidates(connection, name, refusal.row_keys, run_log.run_id)
        return VerifiedTable(name, error=refusal)
    except DRIVER_ERRORS as error:
        return VerifiedTable(name, error=as_table_error(name, error))
    return VerifiedTable(name, verification)
