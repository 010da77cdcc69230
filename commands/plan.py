"""`plan`: what a run would read now, without reading it; decided by what a run decides it by."""

from dataclasses import dataclass

import psycopg2

from commands.servers import Connected
from common.errors import ServerError, TidemarkError
from common.settings import Address
from extract.catalog import describe
from extract.declarations import MirroredTable
from extract.errors import DRIVER_ERRORS, as_table_error
from extract.reading import Reading, decide
from extract.session import Session
from extract.windows import Window
from warehouse.connection import connect
from warehouse.marks import Mark, read_marks


@dataclass(frozen=True)
class PlannedTable:
    """What a run would read of a table, and how; neither where `error` says why not."""

    name: str
    source: str
    estimated_rows: int = 0
    cursor_column: str | None = None
    window: Window | None = None
    reading: Reading | None = None
    error: TidemarkError | None = None


def plan(servers: Connected, tables: list[MirroredTable], full_refresh: bool) -> list[PlannedTable]:
    """Look at the source's catalog and the marks; no table is read and nothing is written."""
    warehouse = connect(servers.warehouse)
    try:
        source = Session(servers.operational)
        try:
            marks = _marks(warehouse, servers.warehouse)
            return [
                _planned(source, warehouse, table, marks.get(table.name), full_refresh)
                for table in tables
            ]
        finally:
            source.close()
    finally:
        warehouse.close()


def _planned(
    source: Session,
    warehouse: psycopg2.extensions.connection,
    declaration: MirroredTable,
    mark: Mark | None,
    full_refresh: bool,
) -> PlannedTable:
    name, source_name = declaration.name, declaration.source_name
    try:
        table = describe(source, declaration)
        with warehouse.cursor() as cursor:
            window, reading = decide(cursor, source, table, mark, full_refresh)
    except DRIVER_ERRORS as error:
        return PlannedTable(name, source_name, error=as_table_error(name, error))
    rows = table.estimated_rows
    return PlannedTable(name, source_name, rows, declaration.cursor, window, reading)


def _marks(warehouse: psycopg2.extensions.connection, address: Address) -> dict[str, Mark]:
    with warehouse.cursor() as cursor:
        cursor.execute("select to_regclass('dwh.high_water_mark') is not null")
        if not cursor.fetchone()[0]:
            return {}
    try:
        return read_marks(warehouse)
    except psycopg2.errors.UndefinedColumn as error:
        raise ServerError(
            f"warehouse {address}",
            f"its control tables are those of an earlier version ({error.diag.message_primary})",
            "A run brings them up to date; start one.",
        ) from None
