"""`plan`: what a run would do now, without doing it."""

from dataclasses import dataclass
from datetime import datetime

import pymysql

from commands.servers import Connected
from common.errors import TidemarkError
from common.settings import Address
from extract.catalog import describe
from extract.declarations import MirroredTable
from extract.errors import as_table_error
from extract.session import Session
from extract.windows import window_of
from warehouse.connection import connect
from warehouse.marks import Mark, read_marks


@dataclass(frozen=True)
class PlannedTable:
    """What a run would read of a table. `window_start` is None where it would read all of it."""

    name: str
    source: str
    estimated_rows: int = 0
    window_start: datetime | None = None
    error: TidemarkError | None = None


def plan(servers: Connected, tables: list[MirroredTable], full_refresh: bool) -> list[PlannedTable]:
    """Look at the source's catalog and the marks; no table is read and nothing is written."""
    marks = _marks(servers.warehouse)
    source = Session(servers.operational)
    try:
        return [_planned(source, table, marks.get(table.name), full_refresh) for table in tables]
    finally:
        source.close()


def _planned(
    source: Session, table: MirroredTable, mark: Mark | None, full_refresh: bool
) -> PlannedTable:
    try:
        description = describe(source, table)
    except (TidemarkError, pymysql.err.Error) as error:
        return PlannedTable(table.name, table.source_name, error=as_table_error(table.name, error))
    window = window_of(source, description, None if full_refresh else mark)
    return PlannedTable(table.name, table.source_name, description.estimated_rows, window.start)


def _marks(warehouse: Address) -> dict[str, Mark]:
    connection = connect(warehouse)
    try:
        with connection.cursor() as cursor:
            cursor.execute("select to_regclass('dwh.high_water_mark') is not null")
            if not cursor.fetchone()[0]:
                return {}
        return read_marks(connection)
    finally:
        connection.close()
