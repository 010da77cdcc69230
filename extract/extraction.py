"""Brings the mirrored tables up to date: read, land, apply, reconcile, table by table.

A table's rows, its change log, its anomalies and its verification are one transaction. One
table's failure stops that table and nothing else.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import psycopg2
import pymysql
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor
from pymysql.constants import ER

from common.errors import DeletesRefused, TableError, TidemarkError
from common.log import get_logger
from common.settings import Address
from extract.anomalies import note_anomalies
from extract.catalog import TableDescription, describe
from extract.declarations import MirroredTable
from extract.guard import note_candidates
from extract.landing import LANDING_SCHEMA, FileWriter, LandingTable, clear_landing, land
from extract.mirror import Applied, MirrorTable
from extract.reader import Reader, column_field
from extract.reconcile import compare_due, reconcile
from extract.session import Session, error_number
from extract.types import postgres_type, quoted_postgres, text_literal
from extract.verification import Verification, write_verification
from warehouse.connection import transaction
from warehouse.marks import Mark, read_marks
from warehouse.run_log import RunLog

log = get_logger(__name__)

HINTS = {
    ER.TABLEACCESS_DENIED_ERROR: "Grant SELECT on the table to the account of OPERATIONAL_USER.",
    ER.LOCK_WAIT_TIMEOUT: "Somebody holds a lock on the table; the next run tries again.",
}


@dataclass(frozen=True)
class Window:
    """What is read of a table: the rows stamped at or after `start`, all of them without one.

    `read_at` is the source's clock before the first row was read; `bound` is `start` as the
    cursor column's own clock writes it.
    """

    read_at: datetime
    start: datetime | None
    bound: str | None


@dataclass(frozen=True)
class TableRead:
    """The rows of a table's window, in files."""

    reader: Reader
    window: Window
    landing: LandingTable
    suspects: list[str]


@dataclass(frozen=True)
class TableOutcome:
    """How a table came out of the extract. `mark` is where it may advance once `dwh` is built."""

    name: str
    seconds: float
    rows_read: int = 0
    verification: Verification | None = None
    mark: Mark | None = None
    error: TidemarkError | None = None

    @property
    def applied(self) -> Applied:
        return self.verification.applied if self.verification else Applied()


@dataclass
class Extraction:
    """One extract of some tables into the warehouse."""

    source: Session
    warehouse: Address
    connection: Connection
    run_log: RunLog
    folder: Path
    full_refresh: bool = False
    accepted_deletes: dict[str, int] = field(default_factory=dict)
    report: Callable[[TableOutcome], None] = lambda outcome: None

    def run(self, tables: list[MirroredTable]) -> list[TableOutcome]:
        """Bring the tables up to date; an outcome for each, in the order given."""
        clear_landing(self.connection, self.folder)
        marks = read_marks(self.connection)
        outcomes: dict[str, TableOutcome] = {}
        reads: dict[str, TableRead] = {}
        seconds: dict[str, float] = {}
        for table in tables:
            started = time.monotonic()
            try:
                reads[table.name] = self._read(table, marks.get(table.name))
            except (TidemarkError, pymysql.err.Error) as error:
                outcomes[table.name] = self._failed(table.name, error, started)
            seconds[table.name] = time.monotonic() - started
        landings = [read.landing for read in reads.values() if read.landing.rows]
        errors = land(self.warehouse, landings, self.folder)
        for name, read in reads.items():
            started = time.monotonic() - seconds[name]
            if name in errors:
                outcomes[name] = self._failed(name, errors[name], started)
            else:
                outcomes[name] = self._apply(read, marks.get(name), started)
        return [outcomes[table.name] for table in tables]

    def _read(self, declaration: MirroredTable, mark: Mark | None) -> TableRead:
        """Read a table's window into files."""
        table = describe(self.source, declaration)
        window = window_of(self.source, table, None if self.full_refresh else mark)
        reader = Reader(self.source, table)
        condition = "true"
        if window.bound is not None:
            condition = reader.condition_on(table.cursor_column, window.bound)
        writer = FileWriter(self.folder, declaration.name)
        suspects = []
        for chunk in reader.read([column_field(column) for column in table.columns], condition):
            writer.write(chunk)
            if chunk.suspect:
                suspects.append(chunk.where)
        writer.close()
        types = tuple(postgres_type(column) for column in table.columns)
        landing = LandingTable(declaration.name, types, tuple(writer.files), writer.rows)
        return TableRead(reader, window, landing, list(dict.fromkeys(suspects)))

    def _apply(self, read: TableRead, mark: Mark | None, started: float) -> TableOutcome:
        name = read.landing.name
        try:
            with transaction(self.connection), self.connection.cursor() as cursor:
                verification, advanced = self._apply_in_transaction(cursor, read, mark)
            verification = self._compare_due(read, verification)
        except DeletesRefused as refusal:
            note_candidates(self.connection, name, refusal.row_keys, self.run_log.run_id)
            return self._failed(name, refusal, started)
        except (TidemarkError, pymysql.err.Error, psycopg2.Error) as error:
            return self._failed(name, error, started)
        outcome = TableOutcome(
            name, time.monotonic() - started, read.landing.rows, verification, advanced
        )
        self._tell(outcome)
        return outcome

    def _apply_in_transaction(
        self, cursor: Cursor, read: TableRead, mark: Mark | None
    ) -> tuple[Verification, Mark]:
        mirror = MirrorTable(read.reader.table, self.run_log.run_id)
        mirror.prepare(cursor)
        landing = read.landing
        applied = Applied()
        if landing.rows:
            landed = f"{LANDING_SCHEMA}.{quoted_postgres(landing.name)}"
            mirror.check_landed(cursor, landed, landing.columns, landing.rows)
            applied = mirror.upsert(cursor, landed, landing.columns)
            note_anomalies(cursor, read.reader, mirror, landed, landing.columns, read.suspects)
        accepted = self.accepted_deletes.get(mirror.name)
        verification = reconcile(cursor, read.reader, mirror, applied, read.window.start, accepted)
        write_verification(cursor, verification, self.run_log.run_id)
        return verification, self._advanced(cursor, read, mark)

    def _compare_due(self, read: TableRead, verification: Verification) -> Verification:
        """Compare the rows of a large table whose turn it is."""
        mirror = MirrorTable(read.reader.table, self.run_log.run_id)
        verification = compare_due(self.connection, read.reader, mirror, verification)
        with self.connection.cursor() as cursor:
            write_verification(cursor, verification, self.run_log.run_id)
        return verification

    def _advanced(self, cursor: Cursor, read: TableRead, mark: Mark | None) -> Mark:
        """Where the table's mark may stand once everything downstream is built."""
        table = read.reader.table
        column = table.cursor_column
        value = mark.high_water_mark if mark else None
        if column is not None and read.landing.rows:
            position = table.columns.index(column)
            kind = postgres_type(column)
            known = f"{text_literal(value)}::{kind}" if value else "null"
            landed = f"{LANDING_SCHEMA}.{quoted_postgres(table.declaration.name)}"
            cursor.execute(
                f"select greatest({known}, max({read.landing.columns[position]}))::text"
                f" from {landed}"
            )
            value = cursor.fetchone()[0]
        return Mark(
            table.declaration.name, column.name if column else None, value, read.window.read_at
        )

    def _failed(self, name: str, error: Exception, started: float) -> TableOutcome:
        outcome = TableOutcome(name, time.monotonic() - started, error=as_table_error(name, error))
        self._tell(outcome)
        return outcome

    def _tell(self, outcome: TableOutcome) -> None:
        error = outcome.error
        status = "success" if error is None else "error"
        if isinstance(error, DeletesRefused):
            status = "refused"
        self.run_log.record(
            "extract",
            outcome.name,
            status,
            outcome.seconds,
            outcome.applied.rows,
            str(error) if error else None,
        )
        self.report(outcome)


def window_of(source: Session, table: TableDescription, mark: Mark | None) -> Window:
    """What a run would read of a table now: all of it where it has no cursor or no mark."""
    read_at = source.clock()
    column = table.cursor_column
    if column is None or mark is None:
        return Window(read_at, None, None)
    start = mark.read_at - timedelta(seconds=table.declaration.overlap_seconds)
    # a DATETIME holds the clock of whoever wrote it: the server's own zone, or UTC
    behind = min(0, source.local_offset_seconds) if column.data_type == "datetime" else 0
    bound = start + timedelta(seconds=behind)
    return Window(read_at, start, bound.strftime("%Y-%m-%d %H:%M:%S.%f"))


def as_table_error(name: str, error: Exception) -> TidemarkError:
    """An error of a driver as one of the table: the server's words, without the row's values."""
    if isinstance(error, TidemarkError):
        return error
    if isinstance(error, pymysql.err.Error):
        number = error_number(error)
        words = error.args[1] if len(error.args) > 1 else type(error).__name__
        return TableError(
            name, f"the source says {number}: {words}", HINTS.get(number, "Run again.")
        )
    primary = getattr(getattr(error, "diag", None), "message_primary", None)
    return TableError(
        name,
        f"the warehouse says: {primary or str(error).strip().splitlines()[0]}",
        "Nothing of this table was applied; the next run reads the same window again.",
    )
