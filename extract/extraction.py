"""Brings the mirrored tables up to date: read, land, apply, reconcile, table by table.

A table's rows, its change log, its anomalies and its verification are one transaction. If one table
fails, the others continue.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection

from common.errors import DeletesRefused, TableError, TidemarkError
from common.log import get_logger
from common.pause import pause_point
from common.settings import DUTY, LOCAL, SNAPSHOT_SECONDS, Address
from extract.applying import apply_read
from extract.compare.forgotten import forget_again
from extract.compare.guard import record_candidates
from extract.compare.reconcile import compare_due
from extract.declarations import MirroredTable
from extract.errors import PersonReturned, TableChanged
from extract.failures import DRIVER_ERRORS, as_table_error
from extract.landing.bulk import forget_stale_loads
from extract.landing.files import LandingTable, landing_folder, landing_schema
from extract.limits import LIMITS, Limits
from extract.mirror.table import Applied, MirrorTable
from extract.mirror.verification import Verification
from extract.mysql.source import MySQLSource
from extract.pair import TablePair
from extract.progress import Progress, ignore
from extract.reading import REFUSED, Reading, decide
from extract.source import Source
from extract.table import TableDescription
from extract.table_read import TableRead, read_table
from warehouse.connection import transaction
from warehouse.failures import connection_lost
from warehouse.marks import Mark, read_marks
from warehouse.persons import left_out_keys
from warehouse.run_log import RunLog

log = get_logger(__name__)

LANDING_FOLDER = LOCAL / "landing"


@dataclass(frozen=True)
class TableOutcome:
    """The result of one table. `mark` is its new mark, to be written once `dwh` is built.

    `rows_read` were read before the comparison, which fetches more if it finds differences.
    `warning` is a message about a table that succeeded.
    """

    name: str
    seconds: float
    rows_read: int = 0
    verification: Verification | None = None
    mark: Mark | None = None
    reading: Reading | None = None
    error: TidemarkError | None = None
    warning: str | None = None

    @property
    def applied(self) -> Applied:
        return self.verification.applied if self.verification else Applied()


def open_source(operational: Address, duty: float = DUTY) -> Source:
    """Connect to a source; here is decided of which kind it is. Raises ServerError."""
    return MySQLSource(operational, duty)


@contextmanager
def open_extraction(
    operational: Address, warehouse: Address, run_log: RunLog, duty: float = DUTY, **options: Any
) -> Iterator["Extraction"]:
    """Connect to the source; `options` are fields of Extraction. Raises ServerError."""
    with closing(open_source(operational, duty)) as source:
        yield Extraction(source, warehouse, run_log, **options)


@dataclass(frozen=True)
class Extraction:
    """An extract or a comparison of some tables.

    `check_lock` is called before each commit, and raises if the run lock is lost. The tables that
    can be read in `snapshot_seconds` are read in one snapshot of the source; 0 means no snapshot.
    """

    source: Source
    warehouse: Address
    run_log: RunLog
    folder: Path = field(default_factory=lambda: LANDING_FOLDER)
    full_refresh: bool = False
    accepted_deletes: dict[str, int] = field(default_factory=dict)
    snapshot_seconds: float = SNAPSHOT_SECONDS
    limits: Limits = LIMITS
    report: Callable[[TableOutcome], None] = lambda outcome: None
    report_progress: Callable[[Progress], None] = ignore
    check_lock: Callable[[], None] = lambda: None

    @property
    def connection(self) -> Connection:
        """The run log's connection to the warehouse, in autocommit."""
        return self.run_log.connection

    def run(self, tables: list[MirroredTable]) -> list[TableOutcome]:
        """Bring the tables up to date; returns their outcomes in the order given.

        Each outcome is reported as soon as it is known. A table that was rebuilt while it was read
        is read once more.
        """
        described = self._that_fit_a_snapshot(tables)
        outcomes: dict[str, TableOutcome] = {}
        if described:
            self.source.begin_moment(self.snapshot_seconds)
            try:
                outcomes = self._extract([t for t in tables if t.name in described], described)
            finally:
                self.source.end_moment()
        outcomes |= self._extract([t for t in tables if t.name not in described])
        again = [t for t in tables if isinstance(outcomes[t.name].error, TableChanged)]
        outcomes |= self._extract(again, is_last=True)
        return [outcomes[table.name] for table in tables]

    def _that_fit_a_snapshot(self, tables: list[MirroredTable]) -> dict[str, TableDescription]:
        """The tables that can be read within the time of a snapshot, by name, described before it.

        Half of that time is left for the warehouse. A table that cannot be described is reported
        when it is read.
        """
        described = []
        for declaration in tables if self.snapshot_seconds else ():
            with suppress(*DRIVER_ERRORS):
                described.append(self.source.describe(declaration, self.limits))
        rows, fitting = 0, {}
        for table in sorted(described, key=lambda table: table.estimated_rows):
            rows += table.estimated_rows
            if rows <= self.snapshot_seconds / 2 * self.limits.rows_per_second:
                fitting[table.name] = table
        return fitting

    def _extract(
        self,
        tables: list[MirroredTable],
        described: dict[str, TableDescription] | None = None,
        is_last: bool = False,
    ) -> dict[str, TableOutcome]:
        if not tables:
            return {}
        outcomes: dict[str, TableOutcome] = {}
        marks = read_marks(self.connection)

        def keep(outcome: TableOutcome) -> None:
            outcomes[outcome.name] = outcome
            if is_last or not isinstance(outcome.error, TableChanged):
                self._record(outcome)

        reads: list[TableRead] = []
        forget_stale_loads(self.connection, [table.name for table in tables])
        landed_in = landing_schema(tables[0].source)
        with landing_folder(self.connection, self.folder, landed_in) as folder:
            for number, table in enumerate(tables, start=1):
                self.report_progress(Progress(table.name, "begun", number, len(tables), "tables"))
                known = (described or {}).get(table.name)
                found = self._read(table, known, marks.get(table.name), folder, f"t{number}")
                if isinstance(found, TableOutcome):
                    keep(found)
                else:
                    reads.append(found)
            pause_point("read")
            landings = [read.landing for read in reads if read.landing]
            self.report_progress(Progress(landed_in, "begun", 0, len(landings), "tables"))
            errors = _land(self.warehouse, [table for table in landings if table.files], folder)
            pause_point("landed")
            for read in reads:
                keep(self._apply(read, marks.get(read.name), errors.get(read.name)))
        return outcomes

    def _read(
        self,
        declaration: MirroredTable,
        table: TableDescription | None,
        mark: Mark | None,
        folder: Path,
        landed_name: str,
    ) -> TableRead | TableOutcome:
        """Read a table; returns its outcome if that fails, with TableChanged after an ALTER."""
        started, moment = time.monotonic(), self.source.moment
        pair, reading = None, None
        try:
            pair = self.pair(table or self.source.describe(declaration, self.limits))
            reading = decide(self.source, pair.mirror, mark, self.full_refresh)
            read = read_table(pair, reading, folder, landed_name, self.check_lock)
        except DRIVER_ERRORS as error:
            if reading is None and isinstance(error, TableError):
                reading = REFUSED
            cause = self._cause(pair, error) if pair else error
            return self._failed(declaration.name, cause, started, reading)
        is_of_moment = moment is not None and pair.mirror.table.existed_before(moment)
        return replace(
            read,
            moment=moment if is_of_moment else None,
            seconds=time.monotonic() - started,
        )

    def pair(self, table: TableDescription) -> TablePair:
        """Both sides of a described table."""
        left_out: tuple[str, ...] = ()
        if table.declaration.person:
            with self.connection.cursor() as cursor:
                left_out = left_out_keys(cursor, table.name)
        return TablePair(
            self.source.table(table, self.limits, self.report_progress, left_out),
            MirrorTable(self.connection, table, self.run_log.run_id, self.limits),
        )

    def _apply(
        self, read: TableRead, mark: Mark | None, not_landed: TableError | None
    ) -> TableOutcome:
        """Apply the rows that were read of a table, and reconcile it, if they have landed."""
        pair, name, started = read.pair, read.name, time.monotonic() - read.seconds
        try:
            if not_landed is not None:
                raise not_landed
            with self.committed():
                accepted = self.accepted_deletes.get(name)
                verification, advanced, warning = apply_read(
                    read, mark, accepted, self.source.moment
                )
                pair.source.check_unchanged()
            pause_point("applied")
            before, late_before = verification, read.window.start
            verification = compare_due(pair, before, self.check_lock, late_before=late_before)
            if verification is not before:
                pair.source.check_unchanged()
        except DeletesRefused as refusal:
            record_candidates(pair.mirror, refusal.row_keys)
            return self._failed(name, refusal, started, read.reading)
        except PersonReturned as returned:
            forget_again(self.connection, returned)
            return self._failed(name, returned, started, read.reading)
        except DRIVER_ERRORS as error:
            return self._failed(name, self._cause(pair, error), started, read.reading)
        return TableOutcome(
            name,
            time.monotonic() - started,
            read.landed.rows,
            verification,
            advanced,
            read.reading,
            warning=warning,
        )

    def _cause(self, pair: TablePair, error: Exception) -> Exception:
        """The error, or TableChanged if the table was altered, which may have caused the error."""
        try:
            pair.source.check_unchanged()
        except TableChanged as changed:
            return changed
        except DRIVER_ERRORS:
            pass
        return error

    @contextmanager
    def committed(self) -> Iterator[None]:
        """A transaction that commits only while the run lock is held."""
        with transaction(self.connection):
            with self.connection.cursor() as cursor:
                # an ALTER that waits for another session's transaction would block all readers
                cursor.execute("set local lock_timeout = %s", (self.limits.lock_wait,))
            yield
            self.check_lock()

    def _failed(
        self, name: str, error: Exception, started: float, reading: Reading | None
    ) -> TableOutcome:
        if self.connection.closed:
            raise connection_lost(f"warehouse {self.warehouse}") from error
        log.warning("%s: %s", name, type(error).__name__, exc_info=error)
        seconds = time.monotonic() - started
        return TableOutcome(name, seconds, reading=reading, error=as_table_error(name, error))

    def _record(self, outcome: TableOutcome) -> None:
        error = outcome.error
        status = "warning" if outcome.warning else "success"
        if error is not None:
            status = "refused" if isinstance(error, DeletesRefused) else "error"
        message = str(error) if error else outcome.warning
        try:
            self.run_log.record(
                "extract", outcome.name, status, outcome.seconds, outcome.applied.rows, message
            )
        except psycopg2.Error as lost:
            if self.connection.closed:
                raise connection_lost(f"warehouse {self.warehouse}") from lost
            raise
        self.report(outcome)


def _land(warehouse: Address, tables: list[LandingTable], folder: Path) -> dict[str, TableError]:
    if not tables:
        return {}
    # dlt takes a third of a second to load, and a run without changes lands nothing
    from extract.landing.pipeline import land

    return land(warehouse, tables, folder)
