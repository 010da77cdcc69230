"""Brings the mirrored tables up to date: read, land, apply, reconcile, table by table.

A table's rows, its change log, its anomalies and its verification are one transaction. One
table's failure stops that table and nothing else.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from common.errors import DeletesRefused, TableError, TidemarkError
from common.log import get_logger
from common.pause import pause_point
from common.settings import SNAPSHOT_SECONDS, Address
from extract.anomalies import note_anomalies
from extract.bulk import BulkLoad, forget_stale_loads
from extract.catalog import TableDescription, check_dropped, describe
from extract.declarations import MirroredTable
from extract.errors import DRIVER_ERRORS, TableChanged, as_table_error
from extract.files import NOTHING, FileWriter, Landed, LandingTable, landing_folder
from extract.guard import note_accepted, note_candidates
from extract.mirror import Applied, MirrorTable
from extract.progress import Progress, ignore
from extract.ranges import KeyRange, is_integer
from extract.reader import Reader, column_field
from extract.reading import Way, decide
from extract.reconcile import compare_due, reconcile
from extract.session import Session
from extract.stored_ranges import StoredRanges, scans
from extract.types import postgres_type, quoted_postgres
from extract.verification import Verification, write_verification, written_by
from extract.windows import Window, advanced_mark, warning_of_outliers
from warehouse.connection import transaction
from warehouse.failures import connection_lost
from warehouse.marks import Mark, read_marks
from warehouse.run_log import RunLog

log = get_logger(__name__)

ROWS_PER_SECOND = 1_000_000
"""What a source reads and compares, at the least, of the tables for which a snapshot is opened."""
LOCK_WAIT = "5s"
"""How long a table waits for a lock in the warehouse before it is left for the next run."""


@dataclass(frozen=True)
class TableRead:
    """The rows of a table's window, where they have landed or will have."""

    reader: Reader
    window: Window
    landed: Landed
    suspects: list[str]
    landing: LandingTable | None = None
    bulk: BulkLoad | None = None
    moment: datetime | None = None


@dataclass(frozen=True)
class TableOutcome:
    """How a table came out of the extract. `mark` is where it may advance once `dwh` is built.

    `rows_read` were read before the comparison, which fetches more where it finds differences.
    `warning` is what to tell of a table that came out well.
    """

    name: str
    seconds: float
    rows_read: int = 0
    verification: Verification | None = None
    mark: Mark | None = None
    error: TidemarkError | None = None
    warning: str | None = None

    @property
    def applied(self) -> Applied:
        return self.verification.applied if self.verification else Applied()


@dataclass
class Extraction:
    """One extract of some tables into the warehouse.

    `check_lock` raises when the run's lock is gone; it is asked before each commit. So many
    `snapshot_seconds` the source keeps a snapshot for us, of which the tables that fit are read; 0
    for none.
    """

    source: Session
    warehouse: Address
    connection: Connection
    run_log: RunLog
    folder: Path
    full_refresh: bool = False
    accepted_deletes: dict[str, int] = field(default_factory=dict)
    snapshot_seconds: float = SNAPSHOT_SECONDS
    report: Callable[[TableOutcome], None] = lambda outcome: None
    report_progress: Callable[[Progress], None] = ignore
    check_lock: Callable[[], None] = lambda: None

    def run(self, tables: list[MirroredTable]) -> list[TableOutcome]:
        """Bring the tables up to date; an outcome for each, in the order given.

        Each is told as soon as it is there. A table that was rebuilt while it was read is read
        once more.
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
        """The tables that can be read in the time of a snapshot, by name, as they are before it.

        Half of that time is for the warehouse. One that cannot be described is told of when it is
        read.
        """
        described = []
        for table in tables if self.snapshot_seconds else ():
            with suppress(*DRIVER_ERRORS):
                described.append(describe(self.source, table))
        rows, fitting = 0, {}
        for table in sorted(described, key=lambda table: table.estimated_rows):
            rows += table.estimated_rows
            if rows <= self.snapshot_seconds / 2 * ROWS_PER_SECOND:
                fitting[table.declaration.name] = table
        return fitting

    def _extract(
        self,
        tables: list[MirroredTable],
        described: dict[str, TableDescription] | None = None,
        is_last: bool = False,
    ) -> dict[str, TableOutcome]:
        outcomes: dict[str, TableOutcome] = {}
        if not tables:
            return outcomes
        marks = read_marks(self.connection)

        def keep(outcome: TableOutcome) -> None:
            outcomes[outcome.name] = outcome
            if is_last or not isinstance(outcome.error, TableChanged):
                self._tell(outcome)

        reads: dict[str, tuple[TableRead, float]] = {}
        forget_stale_loads(self.connection)
        with landing_folder(self.connection, self.folder) as folder:
            for number, table in enumerate(tables):
                started = time.monotonic()
                self.report_progress(
                    Progress(table.name, "begun", number + 1, len(tables), "tables")
                )
                try:
                    known = (described or {}).get(table.name)
                    read = self._read(table, known, marks.get(table.name), number, folder)
                except DRIVER_ERRORS as error:
                    keep(self._failed(table.name, error, started))
                else:
                    reads[table.name] = read, time.monotonic() - started
            pause_point("read")
            landings = [read.landing for read, _ in reads.values() if read.landing]
            self.report_progress(Progress("mrr_landing", "begun", 0, len(landings), "tables"))
            errors = _land(self.warehouse, [table for table in landings if table.files], folder)
            pause_point("landed")
            for name, (read, seconds) in reads.items():
                started = time.monotonic() - seconds
                if name in errors:
                    cause = self._cause(read.reader.table, errors[name])
                    keep(self._failed(name, cause, started))
                else:
                    keep(self._bring(read, marks.get(name), started))
        return outcomes

    def _read(
        self,
        declaration: MirroredTable,
        table: TableDescription | None,
        mark: Mark | None,
        number: int,
        folder: Path,
    ) -> TableRead:
        """Read a table's window. Raises TableChanged where an ALTER came between."""
        moment = self.source.moment
        table = table or describe(self.source, declaration)
        try:
            read = self._read_window(table, mark, number, folder)
            return replace(read, moment=moment if moment and table.stood_before(moment) else None)
        except DRIVER_ERRORS as error:
            cause = self._cause(table, error)
            if cause is error:
                raise
            raise cause from error

    def _read_window(
        self, table: TableDescription, mark: Mark | None, number: int, folder: Path
    ) -> TableRead:
        """Read a table's window into files, or all of a large table into where it lands."""
        mirror = MirrorTable(table, self.run_log.run_id)
        with self.connection.cursor() as cursor:
            window, reading = decide(cursor, self.source, table, mark, self.full_refresh)
        reader = Reader(self.source, table)
        reader.report = self.report_progress
        if reading.way in (Way.BAG, Way.NOTHING):
            # the comparison of every row fetches what it needs
            return TableRead(reader, window, NOTHING, [])
        if reading.way is Way.BULK:
            bulk = BulkLoad(self.connection, reader)
            read = bulk.run(self.warehouse, folder)
            window = Window(read.read_at)
            return TableRead(reader, window, read.landed, read.suspects, bulk=bulk)
        condition, ranges = "true", []
        if window.bound is not None:
            condition = reader.condition_on(table.cursor_column, window.bound)
            ranges = self._known_ranges(mirror)
        writer = FileWriter(folder, f"t{number}")
        files, suspects = [], []
        fields = [column_field(column) for column in table.columns]
        chunks = reader.read(fields, condition, ranges)
        for chunk in chunks if ranges else reader.telling("read", chunks, table.estimated_rows):
            writer.write(chunk)
            if chunk.suspect:
                suspects.append(chunk.where)
            if writer.is_full:
                files.append(writer.close())
        files.append(writer.close())
        types = tuple(postgres_type(column) for column in table.columns)
        landing = LandingTable(mirror.name, f"t{number}", types, tuple(filter(None, files)))
        suspects = list(dict.fromkeys(suspects))
        return TableRead(reader, window, landing.landed, suspects, landing)

    def _known_ranges(self, mirror: MirrorTable) -> list[KeyRange]:
        """What a large table is cut into already; nothing where the reader has to cut it."""
        with self.connection.cursor() as cursor:
            if not (is_integer(mirror.table.key_columns) and mirror.has_its_key(cursor)):
                return []
            stored = StoredRanges(cursor, mirror).read()
        return [keys for _, keys in scans(stored)] if len(stored) > 1 else []

    def _bring(self, read: TableRead, mark: Mark | None, started: float) -> TableOutcome:
        """Apply what was read of a table, and reconcile it."""
        name = read.reader.table.declaration.name
        mirror = MirrorTable(read.reader.table, self.run_log.run_id)
        try:
            with self._committed() as cursor:
                verification, advanced, warning = self._apply(cursor, read, mirror, mark)
                check_unchanged(self.source, read.reader.table)
            pause_point("applied")
            verification = compare_due(
                self.connection,
                read.reader,
                mirror,
                verification,
                self.check_lock,
                late_before=read.window.start,
            )
            check_unchanged(self.source, read.reader.table)
        except DeletesRefused as refusal:
            note_candidates(self.connection, name, refusal.row_keys, self.run_log.run_id)
            return self._failed(name, refusal, started)
        except DRIVER_ERRORS as error:
            return self._failed(name, self._cause(read.reader.table, error), started)
        seconds = time.monotonic() - started
        rows = read.landed.rows
        return TableOutcome(name, seconds, rows, verification, advanced, warning=warning)

    def _apply(
        self, cursor: Cursor, read: TableRead, mirror: MirrorTable, mark: Mark | None
    ) -> tuple[Verification, Mark, str | None]:
        # a table that was rebuilt while it was read is read once more in the same run
        before = written_by(cursor, mirror.name, self.run_log.run_id)
        applied = before + self._bring_landed(cursor, read, mirror)
        advanced, warning = self._advanced(cursor, read, mirror, mark)
        pause_point("upserted")
        accepted = self.accepted_deletes.get(mirror.name)
        if accepted == before.deleted:
            accepted = None  # let through already, and only once
        verification = reconcile(cursor, read.reader, mirror, applied, read.window.start, accepted)
        fetched_rows = read.landed.rows + verification.fetched_rows
        verification = replace(verification, fetched_rows=fetched_rows)
        is_equal_throughout = verification.is_equal and verification.is_of_every_row
        if is_equal_throughout and read.moment == self.source.moment:
            verification = replace(verification, moment=read.moment)
        note_candidates(self.connection, mirror.name, [], self.run_log.run_id)
        if accepted == verification.applied.deleted - before.deleted:
            note_accepted(cursor, mirror.name, accepted, self.run_log.run_id)
        write_verification(cursor, verification, self.run_log.run_id)
        pause_point("reconciled")
        return verification, advanced, warning

    def _bring_landed(self, cursor: Cursor, read: TableRead, mirror: MirrorTable) -> Applied:
        """Bring what has landed into the mirror."""
        landed, is_new = read.landed, not mirror.exists(cursor)
        if landed.rows:
            note_anomalies(
                cursor, read.reader, mirror, landed.relation, landed.columns, read.suspects
            )
        if read.bulk:
            read.bulk.forget(cursor)
            if is_new and landed.rows:
                return mirror.promote(cursor, landed)
        applied = mirror.prepare(cursor)
        check_dropped(self.source, read.reader.table, mirror.vanished_names(cursor))
        if read.window.bound is None:
            mirror.compare_all_rows(cursor)
        if landed.rows:
            mirror.check_landed(cursor, landed.relation, landed.columns, landed.rows)
            upserted = mirror.upsert(cursor, landed.relation, landed.columns, is_logged=not is_new)
            applied += mirror.not_counted_yet(upserted)
        return applied

    def _cause(self, table: TableDescription, error: Exception) -> Exception:
        """The error, or TableChanged: the values of another shape may fit nowhere."""
        try:
            check_unchanged(self.source, table)
        except TableChanged as changed:
            return changed
        except DRIVER_ERRORS:
            pass
        return error

    @contextmanager
    def _committed(self) -> Iterator[Cursor]:
        """A transaction that commits only while the run's lock is held."""
        with transaction(self.connection), self.connection.cursor() as cursor:
            # an ALTER that waits for somebody's open transaction would hold up all who read
            cursor.execute("set local lock_timeout = %s", (LOCK_WAIT,))
            yield cursor
            self.check_lock()

    def _advanced(
        self, cursor: Cursor, read: TableRead, mirror: MirrorTable, mark: Mark | None
    ) -> tuple[Mark, str | None]:
        """Where the mark may stand once everything downstream is built, and what to tell of it."""
        table, landed = read.reader.table, None
        column = table.cursor_column
        if column and read.landed.rows:
            landed = read.landed.relation, read.landed.columns[table.columns.index(column)]
        mirrored = mirror.qualified, quoted_postgres(column.name) if column else ""
        advanced = advanced_mark(cursor, table, read.window, mark, landed, mirrored)
        seen = mirrored if read.window.bound is None else landed
        if not table.has_numeric_cursor or seen is None:
            return advanced, None
        return advanced, warning_of_outliers(cursor, table, *seen, read.window.read_at)

    def _failed(self, name: str, error: Exception, started: float) -> TableOutcome:
        if self.connection.closed:
            raise connection_lost(f"warehouse {self.warehouse}") from error
        log.warning("%s: %s", name, type(error).__name__, exc_info=error)
        return TableOutcome(name, time.monotonic() - started, error=as_table_error(name, error))

    def _tell(self, outcome: TableOutcome) -> None:
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


def check_unchanged(source: Session, table: TableDescription) -> None:
    """Raise TableChanged where the table is no longer the one that was described."""
    if describe(source, table.declaration).identity != table.identity:
        raise TableChanged(table.declaration.name)


def _land(warehouse: Address, tables: list[LandingTable], folder: Path) -> dict[str, TableError]:
    if not tables:
        return {}
    # dlt takes a third of a second to load, and a run without changes lands nothing
    from extract.landing import land

    return land(warehouse, tables, folder)
