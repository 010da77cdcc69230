"""Bulk loads: a whole large table, range by range; the next range is read while one lands.

Each range is a checkpoint: the transaction of its COPY also records that it has landed. So a run
that follows a killed one reads no range twice and leaves none out. A load is started again from
the beginning if the table was altered since, or if it was begun on another server.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from common.pause import pause_point
from common.rows import one_row
from common.settings import Address
from extract.landed import Landed
from extract.landing.files import (
    FileWriter,
    LandedFile,
    LandingTable,
    bulk_landed_name,
    landing_schema,
)
from extract.limits import LIMITS, Limits
from extract.mirror.shape import MIRROR_SCHEMA
from extract.ranges import Key, key_from_texts, key_texts
from extract.source import Fields, SourceTable
from extract.table import TableDescription

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
class _ReadRange:
    file: LandedFile | None
    up_to: Key | None
    flagged: list[str]


class BulkLoad:
    """The bulk load of one table, begun now or by an earlier run."""

    def __init__(
        self, connection: Connection, source: SourceTable, limits: Limits = LIMITS
    ) -> None:
        self._connection = connection
        self._source = source
        self._table = source.description
        self._name = self._table.name
        self._file_bytes = limits.bulk_bytes
        identity, now = source.load_identity(), source.clock()
        with connection.cursor() as cursor:
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
            cursor.execute(
                "select bulk_load_id, read_at from mrr_state.bulk_load where table_name = %s",
                (self._name,),
            )
            self._number, self._read_at = one_row(cursor)
            cursor.execute(
                "delete from mrr_state.bulk_range where bulk_load_id = %s and landed_at is null",
                (self._number,),
            )

    def run(self, warehouse: Address, folder: Path) -> BulkRead:
        """Land what has not landed yet. Raises TableError."""
        # importing dlt takes a second, in which the source already reads
        table = self._landing_table()
        ranges = self._unread_ranges(folder)
        self._report_landed()
        with ThreadPoolExecutor(max_workers=1) as thread:
            ahead = thread.submit(next, ranges, None)
            from extract.landing.pipeline import BulkPipeline

            pipeline = BulkPipeline(warehouse, table, self._number, folder / table.landed_name)
            while (read := ahead.result()) is not None:
                ahead = thread.submit(next, ranges, None)
                self._expect(read)
                if read.file is None:
                    continue
                pipeline.land(read.file)
                read.file.path.unlink()
                pause_point("range landed")
                self._report_landed()
        return self._result(table)

    def forget(self, cursor: Cursor) -> None:
        """Delete the record of the load, in the cursor's transaction, which applies its rows."""
        cursor.execute("delete from mrr_state.bulk_load where bulk_load_id = %s", (self._number,))

    def _landing_table(self) -> LandingTable:
        types = tuple(column.mirror_type for column in self._table.columns)
        schema = landing_schema(self._table.declaration.source)
        return LandingTable(self._name, bulk_landed_name(self._number), types, schema=schema)

    def _unread_ranges(self, folder: Path) -> Iterator[_ReadRange]:
        """The rest of the table, in files of about the same size."""
        above, is_complete = self._last_landed()
        if is_complete:
            return
        fields = Fields(self._table.columns)
        writer = FileWriter(folder, bulk_landed_name(self._number), self._file_bytes)
        flagged: list[str] = []
        for key_range, chunks in self._source.read_by_range(fields, above):
            for chunk in chunks:
                writer.write(chunk)
                if chunk.is_flagged:
                    flagged.append(chunk.where)
            if writer.is_full or key_range.up_to is None:
                yield _ReadRange(writer.close(), key_range.up_to, flagged)
                flagged = []

    def _last_landed(self) -> tuple[Key | None, bool]:
        """The last key that has landed, or None, and whether it was the end of the table."""
        with self._connection.cursor() as cursor:
            cursor.execute(
                "select up_to from mrr_state.bulk_range where bulk_load_id = %s"
                " order by range_number desc limit 1",
                (self._number,),
            )
            found = cursor.fetchone()
        if found is None:
            return None, False
        (texts,) = found
        return key_from_texts(texts, self._table.key_columns), texts is None

    def _expect(self, read: _ReadRange) -> None:
        """Record the range that lands next; the transaction that copies it sets `landed_at`."""
        rows = read.file.rows if read.file else 0
        with self._connection.cursor() as cursor:
            cursor.execute(
                "insert into mrr_state.bulk_range"
                " (bulk_load_id, range_number, up_to, row_count, suspects, landed_at)"
                " select %s, coalesce(max(range_number), 0) + 1, %s::text[], %s, %s::text[],"
                " case when %s = 0 then clock_timestamp() end"
                " from mrr_state.bulk_range where bulk_load_id = %s",
                (self._number, key_texts(read.up_to), rows, read.flagged, rows, self._number),
            )

    def _landed_rows(self) -> int:
        with self._connection.cursor() as cursor:
            cursor.execute(
                "select coalesce(sum(row_count), 0)::bigint from mrr_state.bulk_range"
                " where bulk_load_id = %s and landed_at is not null",
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
    """True if the whole table is better read in bulk."""
    return bool(table.key_columns) and table.estimated_rows >= limits.bulk_rows
