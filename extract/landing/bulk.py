"""Bulk loads: a whole large table, range by range; the next range is read while one is copied.

Some ranges together are a checkpoint: the transaction that copies them also records that they have
landed. So a run that follows a killed one reads no range twice and leaves none out. A load is
started again from the beginning if the table was altered since, or if it was begun on another
server.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from common.errors import TableError
from common.log import get_logger
from common.pause import pause_point
from common.rows import one_row
from extract.landed import Landed
from extract.landing.ahead import read_ahead
from extract.landing.files import LandingTable, landing_schema
from extract.limits import LIMITS, Limits
from extract.mirror.copying import Copied, copy_chunks, flagged_conditions
from extract.mirror.shape import MIRROR_SCHEMA
from extract.ranges import Key, KeyRange, key_from_texts, key_texts
from extract.source import Chunk, Fields, SourceTable
from extract.table import TableDescription
from warehouse.connection import transaction
from warehouse.landings import bulk_landed_name

log = get_logger(__name__)

RESUMED_WITHIN = timedelta(days=1)
"""A load that was begun longer ago is started again from the beginning."""
KEPT_FOR = timedelta(days=7)
"""A load that no run continued is freed after this time, by the warehouse's clock."""


@dataclass(frozen=True)
class BulkRead:
    """A whole table that has landed. `read_at` is the source's clock before its first range."""

    read_at: datetime
    landed: Landed
    flagged: list[str]


@dataclass(frozen=True)
class _Read:
    """A chunk of a range, or None where the range ends."""

    key_range: KeyRange
    chunk: Chunk | None

    @property
    def octets(self) -> int:
        return len(self.chunk.data) if self.chunk else 0


class BulkLoad:
    """The bulk load of one table, begun now or by an earlier run."""

    def __init__(
        self,
        connection: Connection,
        source: SourceTable,
        check_lock: Callable[[], None],
        limits: Limits = LIMITS,
    ) -> None:
        self._connection = connection
        self._check_lock = check_lock
        self._source = source
        self._table = source.description
        self._name = self._table.name
        self._limits = limits
        identity, now = source.load_identity(), source.clock()
        with transaction(connection), connection.cursor() as cursor:
            cursor.execute("set local lock_timeout = %s", (limits.lock_wait,))
            cursor.execute(
                "delete from mrr_state.bulk_load where table_name = %s"
                " and (source_identity <> %s or read_at < %s)",
                (self._name, identity, now - RESUMED_WITHIN),
            )
            cursor.execute(
                "insert into mrr_state.bulk_load (table_name, source_identity, read_at)"
                " values (%s, %s, %s) on conflict (table_name) do nothing",
                (self._name, identity, now),
            )
            # the lock waits for what a killed run is still committing
            cursor.execute(
                "select bulk_load_id, read_at from mrr_state.bulk_load where table_name = %s"
                " for update",
                (self._name,),
            )
            self._number, self._read_at = one_row(cursor)

    def run(self) -> BulkRead:
        """Land what has not landed yet. Raises TableError."""
        table = self._landing_table()
        self._create(table)
        self._report_landed()
        if not self._land_rest(table, may_be_refused=True):
            # to look for such values in every row would cost the source a fifth more
            log.info("%s: COPY refuses a value, reading exactly", self._name)
            self._source.read_exactly()
            self._land_rest(table, may_be_refused=False)
        return self._result(table)

    def forget(self, cursor: Cursor) -> None:
        """Delete the record of the load, in the cursor's transaction, which applies its rows."""
        cursor.execute("delete from mrr_state.bulk_load where bulk_load_id = %s", (self._number,))

    def _landing_table(self) -> LandingTable:
        types = tuple(column.mirror_type for column in self._table.columns)
        schema = landing_schema(self._table.declaration.source)
        return LandingTable(self._name, bulk_landed_name(self._number), types, schema=schema)

    def _create(self, table: LandingTable) -> None:
        """Create the table in which the rows land, unless an earlier run has.

        If somebody has dropped it, nothing has landed.
        """
        columns = ", ".join(map(" ".join, zip(table.columns, table.types, strict=True)))
        with self._connection.cursor() as cursor:
            cursor.execute(
                "delete from mrr_state.bulk_range"
                " where bulk_load_id = %s and to_regclass(%s) is null",
                (self._number, table.relation),
            )
            cursor.execute(f"create schema if not exists {table.schema}")
            # promoting it would otherwise wait a second for a running autovacuum to yield
            cursor.execute(
                f"create table if not exists {table.relation} ({columns})"
                " with (autovacuum_enabled = false)"
            )

    def _land_rest(self, table: LandingTable, may_be_refused: bool) -> bool:
        """Land what has not landed yet; returns false if COPY refused a value, and may do so."""
        self._landed_ranges, above, is_complete = self._last_landed()
        unread = iter(()) if is_complete else self._unread(above)
        ahead = read_ahead(unread, lambda read: read.octets, self._limits.ahead_bytes)
        with closing(ahead) as reads:
            try:
                while self._land_next(reads, table):
                    pause_point("range landed")
                    self._report_landed()
            except psycopg2.DataError:
                if not may_be_refused:
                    raise
                return False
        return True

    def _unread(self, above: Key | None) -> Iterator[_Read]:
        """The rest of the table, above a key."""
        fields = Fields(self._table.columns)
        for key_range, chunks in self._source.read_by_range(fields, above):
            for chunk in chunks:
                yield _Read(key_range, chunk)
            yield _Read(key_range, None)

    def _land_next(self, reads: Iterator[_Read], table: LandingTable) -> bool:
        """Land the next ranges in one transaction; returns false if there were none.

        Raises TableError and ServerError.
        """
        target = f"{table.relation} ({', '.join(table.columns)})"
        copied: list[Copied] = []
        octets, landed = 0, None
        with transaction(self._connection), self._connection.cursor() as cursor:
            for read in reads:
                if read.chunk:
                    copied += copy_chunks(cursor, target, [read.chunk], self._name)
                    octets += read.octets
                    continue
                landed = read.key_range
                if octets >= self._limits.checkpoint_bytes:
                    break
            if landed:
                self._record(cursor, landed.up_to, copied)
                self._check_lock()
        self._landed_ranges += 1
        return landed is not None

    def _last_landed(self) -> tuple[int, Key | None, bool]:
        """The number of the last ranges that have landed, their last key, and whether all have."""
        with self._connection.cursor() as cursor:
            cursor.execute(
                "select range_number, up_to from mrr_state.bulk_range where bulk_load_id = %s"
                " order by range_number desc limit 1",
                (self._number,),
            )
            found = cursor.fetchone()
        if found is None:
            return 0, None, False
        number, texts = found
        return number, key_from_texts(texts, self._table.key_columns), texts is None

    def _record(self, cursor: Cursor, up_to: Key | None, copied: list[Copied]) -> None:
        """Record the ranges up to a key as landed.

        Raises TableError if another run has landed them meanwhile: their number is taken.
        """
        rows, flagged = sum(chunk.rows for chunk in copied), flagged_conditions(copied)
        try:
            cursor.execute(
                "insert into mrr_state.bulk_range"
                " (bulk_load_id, range_number, up_to, row_count, suspects)"
                " values (%s, %s, %s::text[], %s, %s::text[])",
                (self._number, self._landed_ranges + 1, key_texts(up_to), rows, flagged),
            )
        except psycopg2.errors.UniqueViolation:
            raise TableError(
                self._name,
                f"another run has landed its ranges with number {self._landed_ranges + 1}",
                "Nothing landed twice. Start a run again: it goes on where the other one ended.",
            ) from None

    def _landed_rows(self) -> int:
        with self._connection.cursor() as cursor:
            cursor.execute(
                "select coalesce(sum(row_count), 0)::bigint from mrr_state.bulk_range"
                " where bulk_load_id = %s",
                (self._number,),
            )
            (rows,) = one_row(cursor)
            return int(rows)

    def _report_landed(self) -> None:
        """Report how many rows have landed, in this run and in earlier ones."""
        rows = self._landed_rows()
        self._source.report("landed", rows, max(rows, self._table.estimated_rows))

    def _result(self, table: LandingTable) -> BulkRead:
        with self._connection.cursor() as cursor:
            cursor.execute(
                "select suspects from mrr_state.bulk_range where bulk_load_id = %s"
                " order by range_number",
                (self._number,),
            )
            flagged = [where for (some,) in cursor.fetchall() for where in dict.fromkeys(some)]
        landed = Landed(table.relation, table.columns, self._landed_rows())
        return BulkRead(self._read_at, landed, flagged)


def forget_stale_loads(connection: Connection, tables: list[str]) -> None:
    """Forget the loads that no run may resume; their tables are dropped with the next landing.

    A load of a table that is mirrored by now is one, since the mirror may have newer rows; but only
    if it is one of these `tables`, since another run may be loading its own.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "delete from mrr_state.bulk_load where read_at < clock_timestamp() - %s"
            " or to_regclass(format('%%I.%%I', %s, table_name)) is not null"
            " and table_name = any(%s)",
            (KEPT_FOR, MIRROR_SCHEMA, tables),
        )


def is_bulky(table: TableDescription, limits: Limits) -> bool:
    """True if the whole table is better read in bulk: it has many rows, or large ones."""
    rows, octets = table.estimated_rows, table.estimated_rows * table.row_bytes
    return bool(table.key_columns) and (rows >= limits.bulk_rows or octets >= limits.bulk_bytes)
